//! One suite of promises over every kind of bus: the plain one, by each way to emit; every derived one; channels;
//! typed buses. `kind.rs` says what is asked of a kind; `all.rs` has the kinds, made
//! of `sources.rs`, `sinks.rs` and `receivers.rs`.
//!
//! A promise is a function that is given a kind, and is a test of each: `filtered::p3_…`. A new kind is a
//! function in `all.rs` and a word in the list below; a new promise, a function and a word likewise.
// Helpers of tests may stop at the first surprise, as tests may.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../common/mod.rs"]
mod common;

mod all;
mod kind;
mod receivers;
mod sinks;
mod sources;

mod bounds;
mod closing;
mod dropping;
mod order;
mod panics;
mod reentrancy;
mod sums;
mod waiting;

/// Each promise for each kind.
macro_rules! suite {
    (kinds: [$($kind:ident)*] promises: $promises:tt) => {
        $( suite!($kind $promises); )*
    };
    ($kind:ident [$($about:ident: $($promise:ident)*;)*]) => {
        mod $kind {
            $($(
                #[test]
                fn $promise() {
                    crate::common::guarded(|| crate::$about::$promise(crate::all::$kind));
                }
            )*)*
        }
    };
}

suite! {
    kinds: [
        plain by_publisher by_batch by_outbox keeping_batches
        filtered mapped mapped_to_other_topics filter_mapped merged_of_one merged_of_two piped
        chain_of_four derived_by_hand
        channel channel_to_all typed typed_and_watched
    ]
    promises: [
        waiting:
            p1_an_emit_returns_while_a_consumer_sleeps_and_wakes_it
            p1_an_emit_returns_while_queues_are_full
            p1_an_emit_does_not_wait_for_a_filter_that_another_emit_is_inside_of
            p14_a_future_that_is_dropped_loses_nothing
            p14_a_call_to_a_future_that_goes_passes_on
            p14_a_future_ends_when_the_source_does;
        order:
            p2_an_emit_sees_who_is_there_and_no_one_else
            p3_the_order_of_emits_holds_for_single_events_and_batches
            p3_the_order_of_each_thread_holds
            p3_latest_keeps_the_first_place
            p4_an_event_comes_once_however_many_patterns_match
            p4_sharers_get_each_event_once;
        sums:
            p5_a_full_queue_refuses_newer_events
            p5_a_full_queue_pushes_older_events_out
            p5_latest_replaces_and_refuses
            p5_filters_count_for_their_own_subscription
            p5_a_batch_counts_as_its_events_would_alone
            p5_sums_hold_while_all_threads_go_on
            p5_the_bus_counts_what_its_subscriptions_did
            p7_overflow_goes_on_and_tells_how_many;
        bounds:
            p6_capacity_is_exact_and_zero_is_refused
            p6_the_limit_of_subscriptions_is_exact_and_places_come_back
            p13_no_more_payloads_live_than_queues_hold;
        closing:
            p8_closing_drains_and_ends_ever_after
            p8_dropping_the_last_handle_closes
            p8_a_closed_bus_hands_payloads_back_and_takes_no_subscriber
            p8_sharers_that_wait_all_end
            p8_a_closed_subscription_drains_while_others_go_on
            p8_a_close_needs_no_room
            p8_a_close_among_emits_loses_nothing_unseen;
        dropping:
            p9_a_dropped_subscription_frees_payloads_and_captures
            p9_ends_may_be_dropped_in_any_order
            p9_a_subscription_alone_keeps_the_way_to_it
            p9_what_nobody_uses_ends_at_once
            p9_a_subscription_that_goes_inside_its_own_filter_frees_all;
        reentrancy:
            p10_a_filter_may_call_anything
            p10_a_tap_may_call_anything
            p10_a_destructor_may_call_anything
            p10_a_bus_may_be_closed_inside
            p10_a_thread_that_is_waited_for_may_call_anything;
        panics:
            p11_a_filter_that_panics_rejects_for_its_own_subscription
            p11_a_tap_that_panics_is_reported_and_the_rest_is_served
            p11_a_destructor_that_panics_does_not_reach_the_emit;
    ]
}
