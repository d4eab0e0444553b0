"""A small, exact sequence-model kit: attention, blocks, scans, one training recipe, decoding.

Everything runs on one thread in seconds at 10^4 to 10^6 parameters. Shapes are batch first: tokens (B, T), states
(B, T, width). Targets of -100 are not marked. What other families' suites may rely on is what this module names.
"""

from assay_sequences.kit.attention import Attention, Cache, rotate, segment_mask, segment_places
from assay_sequences.kit.decoding import greedy, looks_ahead, pack
from assay_sequences.kit.models import Block, SequenceModel, decoder
from assay_sequences.kit.scans import delta_recurrence, delta_rule, recurrence, scan, ut_transform
from assay_sequences.kit.ssm import DiagonalSSM, hippo_legs, legs_normal
from assay_sequences.kit.training import batches, cross_entropy, generator, optimiser, predict, rate, slowly, train

__all__ = [
    "Attention",
    "Block",
    "Cache",
    "DiagonalSSM",
    "SequenceModel",
    "batches",
    "cross_entropy",
    "decoder",
    "delta_recurrence",
    "delta_rule",
    "generator",
    "greedy",
    "hippo_legs",
    "legs_normal",
    "looks_ahead",
    "optimiser",
    "pack",
    "predict",
    "rate",
    "recurrence",
    "rotate",
    "scan",
    "segment_mask",
    "segment_places",
    "slowly",
    "train",
    "ut_transform",
]
