"""Every disease that a Trace can show. To add one: a file of its own, and a line here."""

from __future__ import annotations

from babysit.diseases import (
    _activations_explode,
    _activations_vanish,
    _batch_fails,
    _batch_norm_misplaced,
    _batch_norm_missing,
    _batch_norm_statistics_stale,
    _batch_too_large,
    _batch_too_small,
    _batches_not_shuffled,
    _best_at_edge,
    _cannot_overfit_tiny_batch,
    _capacity_too_low,
    _diverged,
    _double_softmax,
    _dropout_too_high,
    _evaluation_mode_in_training,
    _gradient_noise_high,
    _gradient_sign_flipped,
    _gradients_clipped_always,
    _gradients_explode,
    _gradients_not_cleared,
    _gradients_vanish,
    _initial_loss_off,
    _inputs_badly_scaled,
    _inputs_constant,
    _inputs_not_centred,
    _inputs_not_finite,
    _labels_imbalanced,
    _labels_out_of_range,
    _labels_unrelated,
    _learning_rate_too_high,
    _learning_rate_too_low,
    _loss_broadcasts,
    _most_trials_fail,
    _nonlinearity_missing,
    _oscillating,
    _overfitting,
    _parameters_frozen,
    _parameters_not_optimised,
    _rows_mixed,
    _scheduler_misused,
    _search_too_small,
    _sigmoid_before_logits_loss,
    _softmax_over_one_unit,
    _softmax_wrong_axis,
    _split_leaks,
    _step_missing,
    _stopped_too_early,
    _stuck_at_chance,
    _targets_badly_scaled,
    _targets_not_finite,
    _training_mode_in_evaluation,
    _underfitting,
    _units_dead,
    _units_saturated,
    _weight_decay_too_strong,
    _weights_symmetric,
    _wrong_loss,
    _wrong_output_activation,
)
from babysit.diseases._disease import Disease

DISEASES: dict[str, Disease] = {
    disease.name: disease
    for disease in (
        # data
        _inputs_not_finite.DISEASE,
        _targets_not_finite.DISEASE,
        _labels_out_of_range.DISEASE,
        _inputs_badly_scaled.DISEASE,
        _targets_badly_scaled.DISEASE,
        _labels_unrelated.DISEASE,
        _batches_not_shuffled.DISEASE,
        _labels_imbalanced.DISEASE,
        _split_leaks.DISEASE,
        _batch_too_small.DISEASE,
        _batch_too_large.DISEASE,
        _inputs_not_centred.DISEASE,
        _inputs_constant.DISEASE,
        # wiring
        _double_softmax.DISEASE,
        _sigmoid_before_logits_loss.DISEASE,
        _softmax_over_one_unit.DISEASE,
        _softmax_wrong_axis.DISEASE,
        _wrong_output_activation.DISEASE,
        _wrong_loss.DISEASE,
        _loss_broadcasts.DISEASE,
        _nonlinearity_missing.DISEASE,
        _rows_mixed.DISEASE,
        _batch_fails.DISEASE,
        _parameters_not_optimised.DISEASE,
        _parameters_frozen.DISEASE,
        _gradients_not_cleared.DISEASE,
        _evaluation_mode_in_training.DISEASE,
        _training_mode_in_evaluation.DISEASE,
        _gradient_sign_flipped.DISEASE,
        _step_missing.DISEASE,
        _scheduler_misused.DISEASE,
        # set-up
        _weights_symmetric.DISEASE,
        _activations_vanish.DISEASE,
        _activations_explode.DISEASE,
        _gradients_vanish.DISEASE,
        _gradients_explode.DISEASE,
        _units_saturated.DISEASE,
        _units_dead.DISEASE,
        _initial_loss_off.DISEASE,
        _dropout_too_high.DISEASE,
        _weight_decay_too_strong.DISEASE,
        _batch_norm_statistics_stale.DISEASE,
        _batch_norm_missing.DISEASE,
        _batch_norm_misplaced.DISEASE,
        _capacity_too_low.DISEASE,
        # dynamics
        _learning_rate_too_high.DISEASE,
        _learning_rate_too_low.DISEASE,
        _diverged.DISEASE,
        _stuck_at_chance.DISEASE,
        _cannot_overfit_tiny_batch.DISEASE,
        _oscillating.DISEASE,
        _overfitting.DISEASE,
        _underfitting.DISEASE,
        _stopped_too_early.DISEASE,
        _gradient_noise_high.DISEASE,
        _gradients_clipped_always.DISEASE,
        # search
        _best_at_edge.DISEASE,
        _most_trials_fail.DISEASE,
        _search_too_small.DISEASE,
    )
}


def readers_of(name: str) -> tuple[str, ...]:
    """Diseases that read something of a trace; those that read little beside it come first.

    Args:
        name: A quantity, `fact:NAME` or `event:KIND`.

    Example:
        >>> readers_of("row-mixing"), readers_of("event:failed")
        (('rows-mixed',), ('batch-fails',))
    """
    readers = [disease for disease in DISEASES.values() if name in disease.reads]
    return tuple(disease.name for disease in sorted(readers, key=lambda disease: len(set(disease.reads))))
