"""What is kept of an evaluation beside a published model (`personalization.registry` reads it back)."""

from personalization.registry import Quality
from training.evaluation import Evaluation


def quality_of(evaluation: Evaluation) -> Quality:
    """Keep of an evaluation what tells models from each other."""
    methods = evaluation.methods
    return Quality(
        evaluation.users,
        {name: scores.ndcg[10] for name, scores in methods.items()},
        {name: scores.hit_rate[10] for name, scores in methods.items()},
    )
