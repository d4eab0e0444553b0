"""Data distributional properties drive in-context learning (arXiv:2205.05055): bursts of classes, many classes, rare ones."""

from __future__ import annotations

from assay import Claim, Model, Paper, hookimpl, score
from assay_sequences.icl_classes import Regime
from assay_sequences.icl_labels import GRULabels, LabelTransformer


class BurstyTransformer(LabelTransformer):
    """Items (B, 9, 32), labels (B, 8) -> logits (B, 32): the suite's transformer, trained on a distribution of its own.

    Of the 8 items of a bursty sequence 3 are of the query's class and 3 of one other, so that the label can be read from
    the context; without bursts it has to be known by heart. A share `burstiness` of the sequences is bursty, classes are
    the first `n_classes` with frequencies 1 / rank^zipf, each with one label for good.
    """

    def __init__(self, burstiness: float = 0.9, n_classes: int = 1024, zipf: float = 0.0) -> None:
        super().__init__()
        self.regime = Regime(burstiness, n_classes, zipf)


class BurstyGRU(GRULabels):
    """The same of the suite's two layers of a GRU, which have about as many parameters."""

    def __init__(self, burstiness: float = 0.9, n_classes: int = 1024, zipf: float = 0.0) -> None:
        super().__init__()
        self.regime = Regime(burstiness, n_classes, zipf)


TASK = "sequences/icl-labels"


@hookimpl
def assay_models() -> list[Model]:
    """Return the transformer and the recurrent network on the training distributions."""
    knobs = {"burstiness": (0.0, 0.5, 0.9, 1.0), "n_classes": (32, 128, 1024), "zipf": (0.0, 1.0, 2.0)}
    return [
        Model("bursty-many", TASK, BurstyTransformer, knobs=knobs),
        Model("bursty-few", TASK, BurstyTransformer, {"n_classes": 32}, ablates="bursty-many"),
        Model("unbursty-many", TASK, BurstyTransformer, {"burstiness": 0.0}, ablates="bursty-many"),
        Model("zipf-one", TASK, BurstyTransformer, {"zipf": 1.0}),
        Model("bursty-gru", TASK, BurstyGRU, ablates="bursty-many"),
    ]


@hookimpl
def assay_papers() -> list[Paper]:
    """Return the paper with its claims."""
    icl, iwl = score("icl_accuracy", task=TASK), score("iwl_accuracy", task=TASK)
    return [
        Paper(
            "bursty-icl",
            title="Data Distributional Properties Drive Emergent In-Context Learning in Transformers",
            year=2022,
            arxiv="2205.05055",
            family="sequences",
            notes="Gaussian classes in 32 dimensions, two layers of width 48 and 3,000 steps stand for Omniglot and the paper's "
            "larger transformer; chance is .5 in context and .03 by heart. The training set's knobs are the suite's; "
            "dynamic meanings, within-class variation and a Zipf exponent are left to knobs and the entrant zipf-one, no "
            "claim is made of them. Found, alike on all three seeds: with bursts and 1,024 classes learning in context is "
            "complete (.99 to 1.00, reached after 700 to 1,200 steps) and little is known by heart (.12 to .20). Without "
            "bursts it is the other way round (.50 to .53 in context, .97 to .99 by heart); with bursts and 32 classes "
            "all of them are known by heart before the context is needed (.49 to .51 and 1.00). In both last cases the "
            "network does not even answer with a label of the context (.03 to .05 right among all 32). So bursts alone "
            "are not enough, and many classes alone are not either. The recurrent network has learnt that the answer is "
            "one of the labels shown, which of the two it does not know (.48 to .50, the same among all 32 labels), and "
            "nothing by heart (.02 to .04): in these steps it is slower on both counts, so the verdict says that it does "
            "not learn in context as soon, not that it never would. Its learning rate is the task's, as for all.",
            claims=[
                Claim(
                    "burstiness-drives-icl",
                    icl("bursty-many") - icl("unbursty-many") > 0.15,
                    says="With bursts in training the transformer learns to use the labels in its context; without, it does not.",
                    published="emerges when the training data are bursty (abstract)",
                    seeds=3,
                ),
                Claim(
                    "many-classes",
                    (icl("bursty-many") - icl("bursty-few") > 0.1) & (iwl("bursty-few") - iwl("bursty-many") > 0.1),
                    says="Many classes favour learning in context, few favour learning by heart.",
                    published="and have large numbers of rarely occurring classes (abstract)",
                    seeds=3,
                ),
                Claim(
                    "not-in-rnn",
                    icl("bursty-many") - icl("bursty-gru") > 0.1,
                    says="A recurrent network of as many parameters does not learn it from the same sequences.",
                    published="only in transformers, not in recurrent models (abstract)",
                    seeds=3,
                ),
            ],
        )
    ]
