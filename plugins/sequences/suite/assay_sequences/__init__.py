"""The sequences family: what must a layer, a training distribution or an objective have so that a small model computes?

To write a paper of this family: `assay show sequences/TASK` prints a contract, this text says what stands behind it.
Every process has a known truth (a group product, a Bayes predictor, an enumerable likelihood): claim against truth where you can.

Tasks, their default data set first, what a claim may pin besides `dataset=`
---------------------------------------------------------------------------
- `token-models` (s3-word, parity, s4-word, a5-word, s5-word, flip-flop, mqar, mqar-4, mqar-16, any-order-chars, kjv-bytes):
  you enter a causal mixer, `build(d_model, n_heads, max_len, **params) -> Module` (B, T, d) to (B, T, d); the suite wraps
  embedding, x + mixer(LN(x)), x + MLP4(LN(x)), LN, linear map around it and checks causality by perturbation. Depth and width are
  the data's (`TokenData.layers`, `.width`): one layer of width 32 for state tracking and flip-flop, two of 48 for recall,
  two of 64 for text, always two heads. Metrics `accuracy` (training length), `accuracy_long` (4x), `last_accuracy` and
  `last_accuracy_long` (the last four places alone: the honest numbers for state tracking), `bits_per_token`;
  condition `test=` "double", "long", "sparse", "dense" (flip-flop), "zero-shot", "early" (kjv-bytes: before the first and
  after 150 steps). Hooks are attributes of the mixer:
  `wants_abs_pos`, `carries`, `layers`, `pretrain(model, steps, ctx)`. `layers=2` of rope-transformer matches an entrant that
  needs two layers where the data have one.
- `signal-classification` (smnist-196, mnist1d, first-mark): a whole module, or `layered(layer, channels, classes, length)` from
  `signal_classification` around a layer (d, T); `kit.DiagonalSSM(width, a, ...)` is the convolutional layer of S4D and its kin,
  `kit.hippo_legs`, `kit.legs_normal` its matrices. `kit.slowly(parameter, 1e-3)` gives others of that kind their own rate
  without decay. Hooks: `pretrain(x, steps, ctx)`, `loss(x, y, progress)`, `extra_steps`. Metric `accuracy`.
- `layer-identities` (random-weights): no training. `build(rng, **params)` *is* the probe: it draws weights and inputs
  from `rng` (torch's default dtype is float64 meanwhile, torch's own generator is seeded) and returns a mapping with some of
  `max_error`, `gap`, `iterations`, `invariance_error`, `layers_per_loop_range`. What a claim varies is a parameter:
  `Model("s4d-legs", "sequences/layer-identities", gap_at, params={"n": 64}, knobs={"n": (32, 64, 128)})`, then
  `slope(score("gap", task=...)("s4d-legs"), over="n", at=(32, 64, 128))` or `worst(error("path")) <= 1e-10`.
- `integer-algorithms` (gcd, gcd-log, sparse-parity, inverse-permutation, add3, add-lengths, running-sum, sort-median): a training
  regime enters; the decoder (2 layers, width 48, 4 heads, learned places) is the suite's unless the regime has `model`.
  `problem.draw` tells what the problem is (`SparseParity.hidden`, `RunningSum.trace(lists, corrupt)`, ...). Metrics
  `exact_match`, `accuracy`, `accuracy_long` (add-lengths). See `integer_algorithms.CleanStream`; the
  baseline rope-transformer has the same examples and rotary places.
- `icl-regression` (linear-nig, linear-mixture, fourier, fourier-flat): a module (x, y) -> means and log-variances, most often
  `icl_regression.PairTransformer`; `process.bayes(x, y)` is exact. Metrics `excess_mse`, `mse` (both over the variance of y),
  `excess_nll`, `variance_gap`; conditions `pairs=` "1-3", "2-3", "1-6", "2-8", "5-" (pairs seen before), `noise=` 1, 2, 4, 8.
- `icl-labels` (gaussian-classes): a module whose `regime` (`icl_labels.Regime`) says how sequences are drawn; subclass
  `LabelTransformer`. Metrics `icl_accuracy` (chance .5), `icl_accuracy_overall`, `iwl_accuracy` (1/32), `steps_to_threshold`.
- `any-conditionals` (first-order-text, bayes-random, bayes-chain, bayes-chain-all, bayes-chain-wrong): `fit`, `conditional`, and
  `sample` with `calls`. Metrics `conditional_kl`, `conditional_mse`, `distance_to_marginal`, `calls_per_token`,
  `bigram_distance`.
- `property-strings` (boman-peptides): `fit`, `predict`, `generate`. Metrics `rmse` (claim a ratio of two), `spearman`.
- `unaligned-transduction` (stretched-tokens, stretched-long): `loss`, `decode`, on `unaligned_transduction.Encoder`. Metric
  `label_error_rate`.
- `stochastic-prediction` (pfsm): `fit`, `generate`, `predict`. Metrics `ngram_kl`, `predictive_nll`, `mean_sigma_p` (reported).

A module (for integer-algorithms the regime) may have `report(data, ctx) -> mapping`: its fields join the outcome, for metrics
that the paper registers itself by `assay_metrics`, and its "conditions" [(knobs, fields)] are further evaluations, whose
knobs the model declares by `Model(conditions=...)`.

Training is `kit.train`: AdamW (.9, .95), decay .01 on matrices, gradients clipped at 1, a one-cycle over the steps of the budget.
A cell has one thread; the suite's own entrants take 3 to 15 s at `small`. Initial weights come from torch's generator, which is
seeded; every other draw comes from `ctx.rng(name)` or `kit.generator(ctx, name)`, which are the same for all entrants of a seed.

Peers: `pip install --no-deps fla-core` has plain references in `fla/ops/*/naive.py` (delta rule, PaTH, ...), which are loaded
from their files, as the package imports with a GPU only; see test_deltaproduct.py. Look at deltaproduct (a mixer and a probe)
and repeated-examples (a training regime) first.
"""

from __future__ import annotations

from assay import Dataset, Metric, Model, Schema, Suite, Task, hookimpl

from assay_sequences import (
    any_conditionals,
    classifiers,
    icl_labels,
    icl_processes,
    icl_regression,
    integer_algorithms,
    integer_problems,
    joint_baselines,
    joints,
    layer_identities,
    metrics,
    mixers,
    property_strings,
    recall_text,
    signal_classification,
    signals,
    state_words,
    stochastic_prediction,
    stochastic_rnns,
    token_models,
    unaligned_transduction,
)

FINDINGS = """
What is exact can be trusted most: all 19 identities that 16 papers rest on hold to rounding, from products of reflections
and Newton's solution of a nonlinear recurrence to hand-set weights that run programs, and each has an ablation that breaks
it. What a layer can express decides more than how long it is trained: behind a causal mask an inverse permutation stays at
the ceiling that counting gives (0.65 of the letters) until blank tokens or no mask lift it to 1, real eigenvalues stay at
chance on marks far back, a timescale ten times too short costs 16 points, and one reflection a token stays at 1/3 on words
of S3. Whether a small budget finds what can be expressed is the seed's chance: two reflections, PaTH and a nonlinear
recurrence track parity or S3 at four times the trained length on most seeds and fail on one or two, so that few trained
comparisons are decided by three to eight seeds after correction for several claims, though most have the claimed sign on
every seed. Trained in context, networks come near to the Bayes rule of their prior (0.03 to 0.04 nats) and leave it when
the data do, but what looks like a mechanism may be a detour: without any attention to the token before, in-context labels
are right in 9 of 10 cases where there are only two to choose from. Several ideas lose to a plain rival here: CTC with a
two-way encoder makes fewer errors than a transducer (.04 against .07), row by row beats a learned order of patches,
pretraining on the task's own inputs adds nothing where a transformer learns anyway, digits as tokens err twenty times as
much as a regression head, and sampling by bursts takes a third of the passes but changes the law.
"""


@hookimpl
def assay_suites() -> list[Suite]:
    """Return the family."""
    question = (
        "What must a sequence layer, a training distribution or a training objective have so that a small model tracks "
        "state, recalls, learns in context, or keeps its accuracy when the sequence grows?"
    )
    return [Suite("sequences", "Sequences", question, FINDINGS)]


@hookimpl
def assay_tasks() -> list[Task]:
    """Return the family's arenas."""
    return [
        token_models.TASK,
        signal_classification.TASK,
        layer_identities.TASK,
        integer_algorithms.TASK,
        icl_regression.TASK,
        icl_labels.TASK,
        any_conditionals.TASK,
        property_strings.TASK,
        unaligned_transduction.TASK,
        stochastic_prediction.TASK,
    ]


@hookimpl
def assay_schemas() -> list[Schema]:
    """Return the forms of data that a user can bring."""
    return [token_models.SCHEMA, signal_classification.SCHEMA, integer_algorithms.SCHEMA, icl_regression.SCHEMA]


@hookimpl
def assay_datasets() -> list[Dataset]:
    """Return the family's data sets."""
    tokens, waves = token_models.SCHEMA.id, signal_classification.SCHEMA.id
    integers, tasks = integer_algorithms.SCHEMA.id, icl_regression.SCHEMA.id
    return [
        Dataset("parity", tokens, state_words.parity, title="running parity of bits, synthetic"),
        Dataset("s3-word", tokens, state_words.s3_word, title="words of the group S3, synthetic"),
        Dataset("s4-word", tokens, state_words.s4_word, title="words of the group S4, synthetic"),
        Dataset("a5-word", tokens, state_words.a5_word, title="words of the group A5, synthetic"),
        Dataset("s5-word", tokens, state_words.s5_word, title="words of the group S5, synthetic"),
        Dataset("flip-flop", tokens, state_words.flip_flop, title="flip-flop language, synthetic"),
        Dataset("mqar", tokens, recall_text.mqar, title="associative recall of 8 pairs, synthetic"),
        Dataset("mqar-4", tokens, recall_text.mqar_4, title="associative recall of 4 pairs, synthetic"),
        Dataset("mqar-16", tokens, recall_text.mqar_16, title="associative recall of 16 pairs, synthetic"),
        Dataset("any-order-chars", tokens, recall_text.any_order_chars, title="a Markov chain of 8 symbols, synthetic"),
        Dataset(
            "kjv-bytes", tokens, recall_text.kjv_bytes, title="the King James Bible by letters", licence="public domain"
        ),
        Dataset("smnist-196", waves, signals.smnist_196, title="MNIST digits pixel by pixel", licence="CC BY-SA 3.0"),
        Dataset("mnist1d", waves, signals.mnist1d, title="MNIST-1D", licence="Apache-2.0"),
        Dataset("first-mark", waves, signals.first_mark, title="a mark at the beginning of noise, synthetic"),
        *layer_identities.DATASETS,
        Dataset("running-sum", integers, integer_problems.running_sum, title="traced sums mod 10, synthetic"),
        Dataset("sort-median", integers, integer_problems.sort_median, title="medians by a traced sort, synthetic"),
        Dataset("gcd", integers, integer_problems.gcd, title="greatest common divisors, synthetic"),
        Dataset("gcd-log", integers, integer_problems.gcd_log, title="the same, log-uniform, synthetic"),
        Dataset("sparse-parity", integers, integer_problems.sparse_parity, title="parity of hidden bits, synthetic"),
        Dataset(
            "inverse-permutation",
            integers,
            integer_problems.inverse_permutation,
            title="permuted strings put back, synthetic",
        ),
        Dataset("add3", integers, integer_problems.add3, title="addition of three digits, synthetic"),
        Dataset("add-lengths", integers, integer_problems.add_lengths, title="addition of 1 to 3 digits, synthetic"),
        Dataset("linear-nig", tasks, icl_processes.linear_nig, title="linear functions, unknown noise, synthetic"),
        Dataset(
            "linear-mixture", tasks, icl_processes.linear_mixture, title="two kinds of linear functions, synthetic"
        ),
        Dataset("fourier", tasks, icl_processes.fourier, title="Fourier series, mostly simple, synthetic"),
        Dataset("fourier-flat", tasks, icl_processes.fourier_flat, title="Fourier series of full degree, synthetic"),
        *icl_labels.DATASETS,
        *joints.DATASETS,
        *property_strings.DATASETS,
        *unaligned_transduction.DATASETS,
        *stochastic_prediction.DATASETS,
    ]


@hookimpl
def assay_models() -> list[Model]:
    """Return the baselines."""
    return [
        *mixers.MODELS,
        *classifiers.MODELS,
        *layer_identities.MODELS,
        *integer_algorithms.MODELS,
        *icl_processes.MODELS,
        *icl_labels.MODELS,
        *joint_baselines.MODELS,
        *property_strings.MODELS,
        *unaligned_transduction.MODELS,
        *stochastic_rnns.MODELS,
    ]


@hookimpl
def assay_metrics() -> list[Metric]:
    """Return the family's metrics."""
    return [
        *metrics.METRICS,
        *token_models.METRICS,
        *layer_identities.METRICS,
        *integer_algorithms.METRICS,
        *icl_regression.METRICS,
        *icl_labels.METRICS,
        *any_conditionals.METRICS,
        *property_strings.METRICS,
        *unaligned_transduction.METRICS,
        *stochastic_prediction.METRICS,
    ]
