//! Every case of the suite, and what an implementation has to give for them.

use std::pin::Pin;

use crate::contract::Store;

/// Somewhere that a store can be opened, closed and opened again, with what it holds kept.
pub(crate) trait Place: Send + Sync {
    /// Opens the store. The one opened before is gone.
    fn open(&self) -> Pin<Box<dyn Future<Output = Box<dyn Store>> + Send + '_>>;
}

/// Makes a test of every case, over the place that `$place` gives.
macro_rules! conformance_suite {
    ($place:expr; $($part:ident: $($case:ident),+ $(,)?;)+) => {$($(
        #[tokio::test]
        async fn $case() {
            let place = $place;
            $crate::conformance::$part::$case(&place).await;
        }
    )+)+};
    ($place:expr) => { $crate::conformance::conformance_suite! { $place;
        accepting: accepted_runs_are_claimed_in_order, a_known_key_starts_nothing_twice,
            a_key_is_forgotten_after_seven_days, a_slot_fires_once,
            a_full_queue_refuses_and_records_slots, ready_is_notified,
            a_run_of_no_deployment_is_refused;
        alarming: an_alarm_is_told_once_and_its_end_once,
            an_absence_is_raised_only_while_there_was_no_success,
            an_expectation_lives_with_its_flow, calls_of_alarms_are_on_record,
            what_ended_lately_is_counted_without_handlers;
        belongings: state_changes_as_asked, bad_state_changes_are_failures_not_errors,
            state_of_another_workspace_is_not_seen, secrets_and_settings_are_kept;
        deploying: a_deployment_comes_back_as_it_was, only_what_went_live_is_live,
            what_goes_live_must_be_whole, a_retired_workspace_is_not_live,
            a_schedule_owes_nothing_from_before, a_pin_stays_until_it_is_taken_off;
        handling: an_ending_starts_its_handlers_once, a_refused_ending_starts_nothing,
            a_recovery_is_the_first_success_after_a_failure,
            a_service_that_handles_is_called_on_record,
            recoveries_of_a_schedule_are_told_apart,
            a_recovery_that_nobody_was_to_hear_of_is_not_told_later,
            a_failure_that_nobody_has_starts_its_handlers_once;
        model: random_writes_agree_with_a_small_model;
        pruning: ended_runs_are_forgotten_by_age_and_number, what_is_referred_to_is_kept;
        reopening: what_was_queued_or_running_is_queued_again, a_closed_store_says_so,
            epochs_are_never_given_twice, suspended_runs_stay_suspended;
        scheduling: a_slot_is_skipped_while_an_earlier_run_has_not_ended,
            runs_of_a_schedule_wait_for_each_other, overlap_follows_a_successor, held_runs_survive_and_can_be_cancelled,
            a_slot_that_cancels_is_not_taken_before_the_earlier_run_has_ended,
            slots_of_a_pause_are_not_owed, what_is_not_there_cannot_be_paused,
            other_slots_than_before_are_not_owed_from_before,
            held_runs_of_a_schedule_that_was_renamed_or_taken_away_go_on,
            a_schedule_holds_back_as_many_as_a_queue_takes,
            a_run_that_its_schedule_holds_back_takes_no_place_of_its_key;
        timing: a_sleep_wakes_its_run_once,
            any_of_several_waits_wakes_a_run,
            nothing_waits_for_nothing,
            what_is_due_comes_in_portions,
            a_failed_attempt_is_followed_by_the_next,
            what_a_run_waited_for_is_forgotten_with_its_attempt,
            a_run_can_be_cancelled_while_it_waits,
            a_successor_takes_over,
            a_sub_flow_answers_whoever_waits_for_it,
            a_run_waits_only_for_its_own,
            a_deadline_is_told_and_ends_a_run_that_nobody_has,
            a_deadline_of_a_claimed_run_is_due_when_it_is_let_go,
            a_deadline_ends_a_run_before_its_next_attempt,
            deadlines_that_passed_come_in_portions,
            a_failure_is_a_dead_letter_until_somebody_deals_with_it,
            a_failure_whose_rerun_was_skipped_waits_for_somebody_still,
            a_run_can_begin_with_a_record,
            starts_that_found_a_run_evaluated_are_counted,
            what_a_runner_may_have_died_of_leaves_its_trace_first,
            keys_of_retries_meet_no_entry;
        turning: a_key_lets_in_as_many_as_it_takes,
            a_key_is_kept_through_waits_releases_and_restarts, a_full_key_skips,
            a_called_run_that_is_skipped_fails_its_call,
            a_newer_run_takes_the_place_of_a_running_one,
            a_run_that_must_yield_yields_as_its_successor_too,
            what_must_yield_is_told_again_after_a_restart,
            a_debounced_run_waits_and_is_replaced, a_debounce_ends_however_many_come,
            higher_priority_goes_first_until_others_waited_long,
            the_urgent_run_of_a_key_goes_first, queues_show_what_runs_and_waits,
            no_key_is_ever_over_its_limit;
        viewing: a_claimed_run_is_running_for_everybody, lists_go_on_at_their_cursor,
            lists_are_filtered, a_run_shows_its_last_steps_and_error;
        waiting: an_answer_wakes_a_suspended_caller, an_answer_reaches_a_running_caller,
            a_wait_for_what_is_there_does_not_happen, the_first_answer_stays,
            a_full_callee_refuses_the_call, refusals_are_on_record,
            a_started_run_answers_nobody, a_cancelled_callee_answers_its_caller,
            an_ended_caller_gets_nothing, a_call_that_takes_too_long_is_due_over_a_restart;
        writing: only_who_has_the_claim_writes, chunks_come_in_order, terminal_stays_terminal,
            cancelled_run_is_never_claimed, a_released_run_goes_first_and_keeps_its_journal,
            a_parked_run_waits_for_a_person, writes_of_one_batch_see_each_other,
            a_refused_write_leaves_nothing;
    } };
}
pub(crate) use conformance_suite;
