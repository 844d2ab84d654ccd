//! An event bus inside one process: any thread emits, every interested subscriber has its own bounded
//! queue, emitting never waits for a consumer, and what overflows is counted, never silent. On it stand
//! [handlers](#handlers): callbacks with priorities, filters and middleware, on threads of your choice.
//!
//! ```
//! use chanbus::Bus;
//!
//! let bus = Bus::new();
//! let sub = bus.subscribe("scan.*")?;
//!
//! bus.emit("scan.started", "/home")?;
//! bus.emit("scan.finished", "/home")?;
//! drop(bus);
//!
//! for event in &sub {
//!     println!("{} {}", event.topic(), event.payload());
//! }
//! # Ok::<(), chanbus::Error>(())
//! ```
//!
//! A subscription is a guard: dropping it unsubscribes. Dropping the last [`Bus`] handle closes the
//! bus, and every `for` loop over a subscription ends once it has read what was queued.
//!
//! # When to use something else
//!
//! - *Two fixed ends*: a channel, such as `crossbeam-channel`, is what you want; this crate puts
//!   one behind every subscription.
//! - *Fan-out of small values to very many readers that all keep up*: one ring shared by all readers
//!   (a disruptor, `tokio::sync::broadcast`) emits far more cheaply than a push for each. It couples them
//!   in turn: one capacity, one policy, and the slow lose what the fast have read.
//! - *Losing an event is not acceptable*: every queue here is bounded, and an emit does not wait.
//!   [`Bus::emit_within`] waits for room for a time; beyond that, use a channel with back pressure,
//!   or a database.
//! - *Several processes*: a broker.
//!
//! `docs/comparison.md`, which comes with the package, has tokio's broadcast, async-broadcast, bus, flume, kanal, async-channel and two
//! crates of callbacks beside this one: semantics, figures, and the workloads that are lost to them.
//!
//! # The parts
//!
//! | To | Use |
//! |---|---|
//! | emit now and then, on any topic | [`Bus::emit`]; with a source or metadata, [`Bus::event`] |
//! | emit often on one topic | a [`Publisher`] |
//! | emit many at once, or all or none | [`Publisher::emit_batch`], [`Bus::batch`] |
//! | wait for room instead of dropping | [`Bus::emit_within`] |
//! | receive in a thread | [`Bus::subscribe`], then `for event in &sub` |
//! | receive in a task | [`Subscription::recv_async`]; as a `Stream`, `into_stream` (feature `stream`) |
//! | spread work over threads | [`Subscription::share`] |
//! | wait beside other channels | [`Subscription::register`] |
//! | hear gaps and signs of life | [`Subscription::heartbeats`]; in a task, `into_stream().with_gaps()` |
//! | wait for one event | [`Bus::wait_for`], [`Bus::wait_for_async`] |
//! | end a loop from elsewhere | [`Subscription::closer`] |
//! | spare publishers the wake-ups | [`WakeUps`] |
//! | choose how exact timestamps are | [`Clock`] |
//! | act on the emitting thread | [`Bus::tap`] |
//! | begin with what has just happened | [`BusBuilder::history`], [`SubscriptionBuilder::replay`] |
//! | begin with the state, then hear of changes | [`Bus::retained`], [`SubscriptionBuilder::with_retained`] |
//! | collect effects now, and do them later, as one or not at all | a [`BasicBus`], a [`Deferred`] bus; several by a [`MultiBus`] |
//! | collect events beside a transaction, then emit all or none | [`Bus::outbox`] |
//! | hear of who falls behind | [`SubscriptionBuilder::high_water`], [`Bus::backlogs`] |
//! | see what goes on | [`Bus::stats`]; with all that is attached to it, [`Bus::topology`]; event by event, [`tracing`](#tracing) |
//! | find who drops events, and why; what nobody hears; what never matches | [`Bus::lint`] |
//! | find out why an event does not come | [`Bus::explain`] |
//! | have the numbers in Prometheus or the like | `BusMetrics` (feature `metrics`) |
//! | read numbers without keeping a bus open | [`Bus::stats_reader`] |
//! | have one bus for the whole process | [`global_or_default`], [`global_handlers`] |
//! | have a bus of a part of the events, or of what is made of them | [`Bus::filtered`], [`Bus::mapped`], [`Bus::filter_mapped`] |
//! | have one bus of several, or forward from one to another | [`Bus::merged`], [`Bus::pipe_to`] |
//! | take a batch whole | [`SubscriptionBuilder::keep_batches`], [`Subscription::recv_batch`] |
//! | publish messages to all, or to a topic | a [`Channel`] |
//! | emit and subscribe by type rather than by topic | a [`TypedBus`] |
//! | have callbacks called, by topic and priority | [`Handlers`] |
//! | call them directly, and hear what they did | [`Emitter`], [`Report`] |
//! | call them with many events at once | [`On::handle_batch`], by [`Emitter::batch`] or by a [`Dispatcher`] |
//! | have them called for the events of a bus | [`Dispatcher`] |
//! | choose the threads that run them | an [`Executor`]: [`Inline`], [`BlockOn`], [`ThreadPool`], `Tokio` (feature `tokio`), a closure |
//! | change or block events before handlers see them | [`Handlers::middleware`] |
//! | hear of what failed | [`Handlers::on_error`], [`Handlers::errors_as_events`] |
//! | unload and load a part of a program | [`Module`], [`Handlers::replace_group`] |
//! | share objects among handlers | [`Services`], [`Context::service`] |
//! | write down what goes on, and emit it again later | `Recorder`, `Player` (feature `json`) |
//! | test a program that uses all that | `Probe`, `Capture`, `Fault`, `StepExecutor`, `TestTime` (feature [`testing`](#testing)) |
//!
//! # Patterns
//!
//! A [`Topic`] is one or more segments joined by dots: `scan.file.found`. A [`Pattern`] asks for
//! topics:
//!
//! | Token | Matches |
//! |---|---|
//! | `*` as a whole segment | exactly one segment |
//! | `**` as a whole segment | any number of segments, also none, anywhere |
//! | `*` inside a segment | any run of characters, also none, never a `.` |
//! | `?` | exactly one character, never a `.` |
//!
//! ```
//! use chanbus::Pattern;
//!
//! assert!(Pattern::new("twitch.**")?.matches("twitch.chat.message"));
//! assert!(!Pattern::new("twitch.*")?.matches("twitch.chat.message"));
//! assert!(Pattern::new("**.error")?.matches("disk.sda.error"));
//! assert!(Pattern::new("disk.sd?.read*")?.matches("disk.sda.read_ahead"));
//! # Ok::<(), chanbus::Error>(())
//! ```
//!
//! So `"*"` is *not* everything: that is `"**"`, or [`Bus::subscribe_all`]. Those who come from
//! `fnmatch` can have a bus of [`Syntax::Flat`], where `*` and `?` also match dots.
//!
//! Spellings that mean the same become one canonical form; [`Pattern::overlaps`] and
//! [`Pattern::includes`] compare what patterns ask for. No pattern, however hostile, makes matching
//! cost more than the product of the lengths. All rules are at [`Pattern`].
//!
//! A subscription may have several patterns, and gets an event once, however many of them match. An
//! emit costs no more for subscriptions that do not match.
//!
//! # Overflow
//!
//! Every subscription has a queue of exactly the capacity that was asked for (200 unless told
//! otherwise). When it is full, its [`Overflow`] policy decides, for this subscription alone:
//!
//! | Policy | Keeps | For |
//! |---|---|---|
//! | [`Overflow::DropNewest`] (default) | what came first | work that was accepted |
//! | [`Overflow::DropOldest`] | what is recent | displays, logs |
//! | [`Overflow::Latest`] | the newest of each topic | state: progress, positions, prices |
//!
//! Nothing vanishes silently. The emitter sees at once what its [`Emitted`] did, and each
//! subscription counts: once publishers are joined,
//! `matched = received + dropped + filtered + conflated`.
//!
//! ```
//! use chanbus::{Beat, Bus, Overflow};
//!
//! let bus = Bus::new();
//! let sub = bus.subscription("n").capacity(4).overflow(Overflow::DropOldest).subscribe()?;
//! for n in 0..10 {
//!     let emitted = bus.emit("n", n)?;
//!     assert_eq!(emitted.delivered, 1);
//! }
//! assert_eq!((sub.matched(), sub.received(), sub.dropped()), (10, 4, 6));
//!
//! // An overflow never ends the iteration. Who wants the gaps inline asks for heartbeats.
//! let mut beats = sub.heartbeats(chanbus::DEFAULT_HEARTBEAT);
//! assert!(matches!(beats.next(), Some(Beat::Missed(6))));
//! assert!(matches!(beats.next(), Some(Beat::Event(event)) if *event.payload() == 6));
//! # Ok::<(), chanbus::Error>(())
//! ```
//!
//! The sum of the gaps is always exact. Their place is exact when nothing is emitted or taken at the
//! same moment; otherwise it is between the neighbouring takes.
//!
//! # Closing
//!
//! A subscription ends when it is closed: by [`Subscription::close`], by a [`Closer`] from another
//! thread, or with its bus ([`Bus::close`], or the last handle dropped, whatever publishers there
//! are). Closing takes effect at once for emits: they no longer match it, and its slot among the
//! bus's subscriptions is free. For its consumers nothing is lost: they take what is queued, then
//! see the end, each of them, and see it ever after.
//!
//! ```
//! use chanbus::{Bus, EmitError};
//!
//! let bus = Bus::new();
//! let sub = bus.subscribe("n")?;
//! let worker = sub.share();
//! bus.emit("n", 1)?;
//! bus.close();
//!
//! // An emit hands its payload back.
//! assert!(matches!(bus.emit("n", 2), Err(EmitError::Closed(2))));
//! assert_eq!(sub.iter().count() + worker.iter().count(), 1);
//! assert!(worker.recv().is_err());
//! # Ok::<(), chanbus::Error>(())
//! ```
//!
//! *Dropping* is harder than closing: with the last handle of a subscription, what is queued goes,
//! there and then, and so does what its filter captured. An emit that is on its way at that moment
//! takes its event back and counts it as dropped.
//!
//! # Ordering
//!
//! - Each subscription sees the events of one publishing thread in the order in which it emitted
//!   them. Across publishers there is no promised order.
//! - Under [`Overflow::Latest`] the order holds for each topic, and an event that replaces another
//!   takes over its place.
//! - Replayed and [retained](SubscriptionBuilder::with_retained) events come before live ones, with no gap, duplicate or inversion between them.
//! - A subscription that [`subscribe`](Bus::subscribe) returned before an emit began is part of that
//!   emit; one that was dropped before is not. Every emit sees one consistent set.
//! - An emit from inside a filter comes, in every queue, before the event that was being filtered;
//!   one from inside a tap or a destructor comes after the event at hand. Both carry a [`Cause`].
//!   One from inside a waker comes after the event at hand, too (but for [`Bus::emit_within`], which
//!   calls wakers before it waits), and carries none.
//!
//! # Derived buses
//!
//! A bus can be made of others: by a [predicate](Bus::filtered), a [mapping](Bus::mapped) or
//! [both](Bus::filter_mapped), of [several](Bus::merged), or in a [way of your own](Bus::derive). It is a
//! [`Bus`] like any other: with subscriptions, policies, handlers and further derived buses, with counts of its own,
//! and with the settings of the one that it was made of.
//!
//! ```
//! use chanbus::Bus;
//!
//! let log: Bus<String> = Bus::new();
//! let errors = log
//!     .filter_mapped(|event| {
//!         let text = event.payload().strip_prefix("ERROR ")?.to_owned();
//!         Some(event.with_payload(text))
//!     })
//!     .filtered(|event| event.source() != Some("test"))
//!     .subscribe("disk.*")?;
//!
//! log.emit("disk.sda", "ERROR bad block".to_owned())?;
//! log.emit("disk.sda", "INFO all is well".to_owned())?;
//! drop(log);
//! assert_eq!(errors.iter().map(|event| event.payload().clone()).collect::<Vec<_>>(), ["bad block"]);
//! # Ok::<(), chanbus::Error>(())
//! ```
//!
//! - It lives while a handle, a subscription, a tap, a pipe, a [`Retained`] or a derived bus of it does, as the
//!   one in the middle above, and ends at once after (a [`Publisher`] does not keep it). It keeps nothing before it open: when what it is made of has closed, so has it.
//! - There is no thread and no queue in between: predicates and mappings run on the emitting thread, when the
//!   event is in all queues of the bus before, and before its taps are called. A panic in them leaves the event out.
//! - What a tap or a waker of the bus before emits comes after the event at hand, on derived buses too. But what a
//!   predicate, or a tap of a derived bus, emits may come to other derived buses before the event at hand.
//! - Topic, timestamp, source, metadata, extensions and cause stay, unless the mapping changes them. A batch
//!   stays a batch.
//! - It has no name, history or retained state of what it is made of: [`Bus::retained`] goes for it itself. For one
//!   with other settings build a bus and [pass on](Bus::pass_on) to it.
//! - A [broadcast](Bus::broadcast) is one where it was emitted; where it is passed on to, patterns decide by its
//!   topic.
//! - A batch that comes to a [merged](Bus::merged) bus by several ways comes in as many parts, one after the other.
//! - What a derived bus loses is counted there, not in the [`Emitted`] of the emit. It takes no slot of its
//!   parent's limit.
//! - [Pipes](Bus::pipe_to) may form circles: an event never goes back to a bus that it came by, and
//!   the very same event enters a bus once, whatever ways lead there. One way is 100 buses long at most.
//!
//! # Deferred buses
//!
//! What a function has to do besides its result (mails, rows, announcements) can be collected while it works, and
//! done when all is known to be well: tried first, refused before anything is done, reported, and, where it stops in
//! the middle, gone on with or undone by what is known to have been done. Functions publish; their caller applies.
//!
//! ```
//! use chanbus::{BasicBus, BoxError, Commit, DeferredBus, Effect, MultiBus, Orchestrator, Publish, with_orchestrator};
//!
//! fn place_order(name: &str, owner: Option<&Orchestrator>, commit: Commit) -> Result<(), BoxError> {
//!     with_orchestrator(owner, commit, |buses, _| {
//!         let effects = buses.wrap(BasicBus::new());
//!         effects.publish(Effect::new(format!("mail {name}"), |commit| {
//!             if commit.is_real() { /* send it */ }
//!             Ok(())
//!         }))?;
//!         if name.is_empty() { Err("an order needs a name".into()) } else { Ok(()) }
//!     })
//! }
//!
//! place_order("ann", None, Commit::Real)?;               // by itself
//!
//! let multi = MultiBus::new();                           // or several as one
//! place_order("bob", Some(&multi.orchestrator()), Commit::default())?;
//! assert!(place_order("", Some(&multi.orchestrator()), Commit::default()).is_err());
//! assert_eq!(multi.apply(Commit::Real)?.len(), 1);
//! # Ok::<(), BoxError>(())
//! ```
//!
//! | Type | Is |
//! |---|---|
//! | [`Publish`] | something to publish to; what most functions ask for |
//! | [`DeferredBus`] | that, and its owner's side: [`apply`](DeferredBus::apply), [`collect`](DeferredBus::collect) |
//! | [`Deferred`] | a bus of your own events, by an [`ApplyEvent`] or [a closure](Deferred::from_fn) |
//! | [`BasicBus`] | a bus of [effects](Effect): closures with a label |
//! | [`SideEffectsBus`] | a bus of closures that are all given one context |
//! | [`DelayedBus`] | wraps a bus for those who must not apply |
//! | [`MultiBus`] | applies many buses as one; an [`Orchestrator`] is the right to add one |
//! | [`with_orchestrator`] | the caller's bus, or one's own |
//! | [`Bus::deferred`] | a deferred bus that emits on a live one, as one effect among others |
//! | [`Outbox`] | no deferred bus, but the same for events alone: all are emitted together, beside a transaction, or none |
//!
//! - An apply first takes what was published, then runs it, in order, each event once. What is published meanwhile, by
//!   effects, too, belongs to the next one.
//! - The first effect that fails, or panics, stops it; the [`ApplyError`] has what was applied, what failed, and what
//!   remains, to be published again or not. Nothing is undone by itself.
//! - A [dry run](Commit::DryRun) is the default, and it is the effects that make it one: each is told. Each is tried against
//!   the state as it is, without what those before it would have done.
//! - Dropping a bus discards what was not applied. A handle whose owner has gone hands back what is published.
//! - All is kept in memory, without bounds: it is for what one piece of work does, not for queues.
//!
//! # Handlers
//!
//! [`Handlers`] is a registry of callbacks that ask for topics by patterns. It runs nothing by itself: an
//! [`Emitter`] calls its handlers directly, without a bus or a queue, and a [`Dispatcher`] calls them for
//! the events of a bus. Any number of both may serve one registry, which can be changed at any time, by
//! any thread, also from inside a handler.
//!
//! ```
//! use std::time::Duration;
//! use chanbus::{Bus, Dispatcher, Drain, Emitter, Flow, Handlers, Priority, ThreadPool};
//!
//! let handlers = Handlers::new();
//! handlers.on("job.*").name("check").priority(Priority::HIGH).handle(|event, _ctx| {
//!     if *event.payload() > 100 { Ok(Flow::Stop) } else { Ok(Flow::Continue) }
//! })?;
//! handlers.on("**").name("log").call(|event| println!("{event:?}"))?;
//!
//! // Directly: when this returns, both have ended.
//! let report = Emitter::inline(&handlers).emit("job.print", 7)?;
//! assert_eq!((report.called, report.failed), (2, 0));
//!
//! // From a bus, on the threads of a pool.
//! let bus = Bus::new();
//! let dispatcher = Dispatcher::builder(&bus, &handlers).executor(ThreadPool::new(2)?).build()?;
//! dispatcher.start()?;
//! bus.emit("job.print", 700)?;
//! dispatcher.stop(Drain::Within(Duration::from_secs(5)))?;
//! let stats = dispatcher.stats();
//! assert_eq!((stats.handled, stats.called, stats.skipped), (1, 1, 1));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! **In which order.** An event first passes all [middleware](Handlers::middleware), in the order in which
//! it was added. Then come its handlers, by [`Priority`]: lower numbers first, equal ones in the order
//! in which they were registered, [monitors](Priority::MONITOR) after all others. The [`Mode`] says who of
//! them run together:
//!
//! | Mode | One step is | The next begins when |
//! |---|---|---|
//! | [`Sequential`](Mode::Sequential), always on [`Inline`] and [`BlockOn`] (but for `emit_async`) | one handler | it has ended |
//! | [`Tiered`](Mode::Tiered), the default elsewhere | all of equal priority | all of them have ended |
//! | [`Concurrent`](Mode::Concurrent) | all but monitors, then monitors | all of them have ended |
//!
//! Events that are emitted by several threads are handled side by side, and detached ones overtake each
//! other, also those of one thread: so a handler may run on several threads at once, for different events.
//! A dispatcher handles them one after the other, in the order of its queue, unless
//! [`max_in_flight`](DispatcherBuilder::max_in_flight) lets them overtake each other.
//!
//! **On which thread.** Filters and callbacks run with their handler, error handlers where the failure was.
//!
//! | An event by | Middleware runs on | Handlers run on |
//! |---|---|---|
//! | [`emit`](Emitter::emit) | the emitting thread | with [`Inline`] and [`BlockOn`] the emitting thread; else the executor's, while the emitting thread waits |
//! | [`emit_async`](Emitter::emit_async) | the calling thread, at once | with [`Inline`] and [`BlockOn`] whichever thread polls the future; else the executor's |
//! | [`emit_detached`](Emitter::emit_detached) | the calling thread | with [`Inline`] and [`BlockOn`] the calling thread; else the executor's, and nobody waits |
//! | a [`Dispatcher`] | its own thread | the executor's; by default that thread, async handlers to their end |
//!
//! Which threads an executor has is said at [`Executor`]. A handler that emits on its own
//! [`ThreadPool`] and waits does not starve it: the waiting thread runs those handlers itself that
//! no other has begun. A full pool runs a job on the thread that brings it, unless told otherwise
//! ([`WhenFull`]): on a dispatcher's thread, say, or in the poll of an emit that is awaited.
//!
//! **How often.** Once for each event that an emitter or dispatcher brings, however many of the handler's
//! patterns match; with [`once`](On::once) once at all, whatever the threads, also if that call fails. Not
//! at all if a [filter](On::filter) says no or panics, an earlier step stopped the event, the handler
//! was removed before it was reached, or its executor refused it: that is counted as skipped, so
//! `matched = called + skipped` in every [`Report`]. An event that two dispatchers take is handled
//! by both.
//!
//! **Errors and panics** of a handler, a filter or a callback stay there, and the other handlers run; the
//! failed one is not handed the event again. (The process's panic hook runs first, and prints unless you set
//! another.) A middleware that panics blocks its event. Each [`Failure`] names its handler, or the place where
//! that was registered, and is
//!
//! - counted, and kept among the [last ones](Handlers::last_failures);
//! - told to the handler's own [`on_failure`](On::on_failure), if the handler itself failed, then to every
//!   [error handler](Handlers::on_error); without one, with the feature `tracing`, it is an error there;
//! - emitted as an event, if [asked for](Handlers::errors_as_events);
//! - in the [`Report`] of the emit, which is no error unless you
//!   [make it one](Report::into_result).
//!
//! Error handlers that panic are caught and counted, and nobody is told, so that nothing recurses.
//!
//! **To stop**
//!
//! | What | By | And then |
//! |---|---|---|
//! | an event, before any handler | a middleware that returns `None` | it is counted as blocked |
//! | an event, between handlers | [`Flow::Stop`], [`Context::stop_propagation`] | later steps are skipped, but for monitors; who runs in the same step goes on |
//! | a handler | [`remove`](Handlers::remove) and its kin, or a [`HandlerGuard`] | no call of it begins; calls that have begun go on. What it captured goes with the last event that found it |
//! | a group, for another | [`replace_group`](Handlers::replace_group) | events that are on their way call the old handlers, later ones the new |
//! | a dispatcher | [`stop`](Dispatcher::stop) | what was queued is handled; at its [deadline](Drain::Within) it gives up, and names who is stuck. Later events, also those that handlers emit meanwhile, wait for the next start |
//! | a pool | [`shutdown`](ThreadPool::shutdown), by its owner | what it has begun is brought to its end |
//!
//! **Batches.** [`Emitter::batch`] and [`Emitter::start_batch`] emit many events together, or none. A handler by
//! [`handle_batch`](On::handle_batch) is called once with all those of them that match it, in order, and with a
//! slice of one by a single emit; all other handlers get events one by one. All events of a batch first pass
//! middleware. Then, for each batch handler in calling order: every event goes, one after the other, through
//! its handlers that come before it; then the batch handler is called, a step of its own in every
//! [`Mode`]; then they go on. Without a batch handler that matches, that is one event after the other. What
//! stops an event on its way keeps it out of later calls, and a batch handler that stops, stops all that it was
//! given. In a [`Report`] and in statistics each event counts by itself.
//!
//! Emitters have nothing to stop. A dispatcher whose bus has closed handles what is queued, and has ended:
//! [`wait`](Dispatcher::wait) waits for that. Stopped by one of its own handlers it does not wait, and
//! stops [after that](Stopped::pending).
//!
//! **Chains.** A handler may emit: by [`Context::emit`], where its event came from, or on any bus. Either way
//! the new event carries the one at hand as its [`Cause`], and a chain that is too deep is refused
//! ([`EmitError::ChainTooDeep`]). A thread or task that a handler starts knows of it by the context only.
//!
//! # Past one process
//!
//! With the feature `nats` a `Bridge` takes events to other processes, and from them, by a [NATS](https://nats.io)
//! server. To the bus it is one more subscriber: an emit waits neither for it nor for its server.
//!
//! ```
//! # #[cfg(feature = "nats")] {
//! use chanbus::{Bridge, Bus};
//!
//! let bus: Bus<u32> = Bus::new();
//! let bridge = Bridge::builder(&bus)
//!     .servers(["nats://127.0.0.1:4222"])
//!     .prefix("shop.eu")
//!     .export("order.*")
//!     .import("stock.**")
//!     .start()?;
//! bus.emit("order.placed", 1)?;   // waits in the bridge's queue until the server is there
//! # }
//! # Ok::<(), chanbus::Error>(())
//! ```
//!
//! - Topics are NATS subjects, payloads JSON or what a codec of yours makes of them, and the rest goes in headers: plain
//!   clients, in any language, read and write the same events.
//! - Several processes may export and import the same patterns: nothing goes round in circles.
//! - Plain, an event arrives at most once, and what is lost between two bridges while both run is counted. By a JetStream stream it
//!   arrives at least once, also over restarts. What exactly that means is said at `Bridge`. Either way subscribe
//!   before the bridge starts: what comes for nobody is gone.
//!
//! # Looking inside
//!
//! An event that does not arrive was dropped, filtered, replaced, or never matched. The bus knows which, of whom, and
//! where in the source that was made, and tells while the program runs. Give buses, subscriptions, handlers and dispatchers
//! names: all that is told below uses them, and metrics have nothing else. The short way is to ask what looks wrong:
//!
//! ```
//! use chanbus::Bus;
//!
//! let bus = Bus::builder().name("scan").build()?;
//! let _log = bus.subscribe("**")?;                       // nobody reads it
//! let _done = bus.subscription("scan.finishd").name("done").subscribe()?;
//! bus.publisher("scan.file")?.emit_batch(0..500)?;
//! bus.emit("scan.finished", 500)?;
//!
//! println!("{}", bus.lint());
//! # let lint = bus.lint().to_string();
//! # for part in ["subscriber #0 (", " has DROPPED 301 of 501 events", "why: nobody has taken any event from it",
//! #     "`scan.finishd` has `finishd` where `scan.finished` has `finished`: a slip of the pen?"] {
//! #     assert!(lint.contains(part), "{lint}");
//! # }
//! # Ok::<(), chanbus::Error>(())
//! ```
//!
//! ```text
//! - subscriber #0 (src/main.rs:4) has DROPPED 301 of 501 events
//!     why: nobody has taken any event from it: its thread or task does not run, does not receive, or waits elsewhere, as on another subscription
//!     now: 200 of 200 wait; full, DropNewest refuses each further event
//! - no event has ever matched `scan.finishd` of subscriber `done` (src/main.rs:5)
//!     near: `scan.finishd` has `finishd` where `scan.finished` has `finished`: a slip of the pen?
//! ```
//!
//! | To know | Ask |
//! |---|---|
//! | what looks wrong: who drops events and why, what nobody hears, what never matched | [`Bus::lint`] |
//! | why an event of this topic does not come: who hears it, who nearly does, what keeps it away | [`Bus::explain`] |
//! | who is there: publishers, subscriptions, handlers, taps, the buses further down | [`Bus::topology`]: a value, a table, [a graph](Topology::to_dot), JSON (feature `json`) |
//! | how fast queues are filled, emptied, and lose | two topologies: [`Topology::since`] |
//! | the numbers of one bus, or of one subscription | [`Bus::stats`]; [`Subscription::dropped`] and its kin |
//! | what one emit did | the [`Emitted`] that it returns |
//! | buses of different payloads in one place | [`Bus::view`], [`Topology::of`] |
//! | topics also from before subscriptions last changed | [`BusBuilder::observe_topics`] |
//! | where handlers spend their time; which are inside of a call now, and for how long | [`Dispatcher::stats`] (`dispatch`); [`Dispatcher::running`] |
//! | that somebody falls behind, as it happens | [`SubscriptionBuilder::high_water`], [`Bus::backlogs`] |
//! | each emit, drop and caught panic, in the log | the feature [`tracing`](#tracing) |
//! | what panicked, in code of your own | [`BusBuilder::on_panic`] |
//! | the numbers over time, in Prometheus or the like | `BusMetrics` (feature `metrics`) |
//! | which events there were, afterwards | `Recorder`, `Player` (feature `json`) |
//!
//! What to do about it depends on the cause, which is what a finding says:
//!
//! | A subscription drops, and | Then |
//! |---|---|
//! | [nobody has ever taken from it](DropCause::NeverTaken) | its thread or task does not run, or waits elsewhere; or it is kept for nothing: drop it |
//! | [its queue is full](DropCause::Behind) | its consumer is slower than its events: a faster one, [several](Subscription::share), fewer events by narrower patterns or a filter, or a policy that suits ([`Overflow`]) |
//! | [nobody takes from it any more](DropCause::Stuck) | its thread or task has ended, or waits for something: a lock, an answer, another subscription. Told by [rates](Topology::since) only |
//! | [more topics wait than it holds](DropCause::Topics) | it keeps the latest of each topic: a capacity for all topics that match, or narrower patterns |
//! | [it has room](DropCause::Bursts) | more come at once than it holds: a larger [`capacity`](SubscriptionBuilder::capacity) |
//! | it is a dispatcher's, and its handlers are quick | one is held up now and then, as by a lock; the finding names it: [`Dispatcher::stats`] has a [`dispatch`](DispatcherStats::dispatch) whose [`max`](Times::max) is far above its [`p50`](Times::p50); while it lasts, [`Dispatcher::running`] names the handler. Mend that wait, or have [capacity](DispatcherBuilder::capacity) for what comes meanwhile |
//!
//! A program that runs for long may ask itself from time to time, and say so where it says all else. It needs no
//! handle that keeps the bus open:
//!
//! ```
//! use std::time::Duration;
//! use chanbus::{Bus, BusView, Topology};
//!
//! fn watch(bus: &BusView, every: Duration) {
//!     let mut before = Topology::of(bus);
//!     while !bus.stats().closed {
//!         std::thread::sleep(every);
//!         let now = Topology::of(bus).since(&before);
//!         // Of two topologies it knows which losses went on in between.
//!         for loss in now.lint().losing() {
//!             eprintln!("{loss}");
//!         }
//!         before = now;
//!     }
//! }
//!
//! let bus: Bus<u32> = Bus::new();
//! let view = bus.view();
//! let watcher = std::thread::spawn(move || watch(&view, Duration::from_millis(1)));
//! drop(bus);
//! watcher.join().unwrap();
//! ```
//!
//! None of it is on the way of an event: no emit waits for it, or pays for it when it is not used. Only
//! changes of subscriptions wait while it reads (and, with [`observe_topics`](BusBuilder::observe_topics), the first emit on
//! a topic, for a copy of 64 others at most). `examples/inspect.rs` has all of it at work, and
//! `examples/monitor` shows a live bus under load in a terminal.
//!
//! # Testing
//!
//! The feature `testing` has what tests of programs want that use buses and handlers. It brings no dependency, and is for
//! tests alone:
//!
//! ```toml
//! [dev-dependencies]
//! chanbus = { version = "0.1", features = ["testing"] }
//! ```
//!
//! | To | Use |
//! |---|---|
//! | say which events are to come, in which order, within which time, and which not | `Probe` |
//! | have all events of a bus, in order | `Capture` |
//! | have a filter, a tap, a handler or a middleware panic or fail at the n-th event; close a bus there | `Fault` |
//! | have a full queue | `Subscription::fill` |
//! | have a dispatcher handle one event at a time, without a thread | `Dispatcher::step` |
//! | run handlers one at a time, in an order of yours | `StepExecutor` |
//! | have time stand still, and move it | `TestTime` |
//!
//! A program and its test; nothing in it sleeps, or depends on who comes first:
//!
//! ```
//! # #[cfg(feature = "testing")] {
//! use chanbus::{Bus, Dispatcher, Event, Fault, Flow, Handlers, Probe};
//!
//! /// The program: paid orders are sent, if the store has them, and else reported.
//! fn shop(handlers: &Handlers<u32>, store: impl Fn(u32) -> Result<(), String> + Send + Sync + 'static) {
//!     handlers.on("order.paid").name("send").handle(move |event, ctx| {
//!         match store(*event.payload()) {
//!             Ok(()) => ctx.emit("order.sent", *event.payload())?,
//!             Err(_) => ctx.emit("order.stuck", *event.payload())?,
//!         };
//!         Ok(Flow::Continue)
//!     }).unwrap();
//! }
//!
//! // The test: the store fails at the second order.
//! let (bus, handlers) = (Bus::new(), Handlers::new());
//! let disk = Fault::error("no disk").at(2);
//! shop(&handlers, move |order| disk.strike(&order.to_string()).map_err(|error| error.to_string()));
//! let dispatcher = Dispatcher::builder(&bus, &handlers).build().unwrap();
//! let probe = Probe::on(&bus).unwrap();
//!
//! bus.emit("order.paid", 1).unwrap();
//! bus.emit("order.paid", 2).unwrap();
//! probe.expect_none("order.sent");                           // nothing runs by itself
//! dispatcher.step_all().unwrap();
//!
//! let sent = probe.expect("order.sent").now();
//! assert_eq!(*sent.payload(), 1);
//! assert_eq!(sent.cause().unwrap().topic(), "order.paid");
//! probe.expect("order.stuck").where_(|event| *event.payload() == 2).now();
//! probe.capture().assert_topics(["order.paid", "order.paid", "order.sent", "order.stuck"]);
//!
//! // And if its queue is full?
//! let log = bus.subscription("order.*").capacity(2).subscribe().unwrap();
//! log.fill(|n| Event::new("filler", n as u32).unwrap());
//! assert_eq!(bus.emit("order.paid", 3).unwrap().dropped, 1);
//! # }
//! ```
//!
//! What does not come is a panic with a report: what was asked, what came instead, which topics nearly match, and which
//! subscriptions dropped events meanwhile. Each assertion has a `try_` form that returns that as an error. A program that
//! emits on threads of its own is waited for, by `Expect::within`, or, in tasks, by
//! `Expect::before` and any timer.
//!
//! # Panics and re-entrance
//!
//! Filters, taps, destructors and the wakers of tasks run on the emitting thread. They may call anything on the bus,
//! from any thread, without deadlock: no lock is held while they run. If they panic, the panic is
//! caught, counted and reported to [`BusBuilder::on_panic`] and to [`tracing`](#tracing), and everybody else is served. Under
//! `panic = "abort"` that cannot be: the process ends.
//!
//! Events that lead to one another for ever end with [`EmitError::ChainTooDeep`]: see [`Cause`].
//!
//! # Async
//!
//! Emitting waits for nobody, so it suits any task. Receiving in a task needs no runtime and no helper
//! thread: a task that waits leaves its waker with its subscription, and the emit calls it. While no task
//! waits, an emit pays nothing for tasks.
//!
//! ```
//! # use futures_lite::future::block_on;
//! use chanbus::Bus;
//!
//! let bus = Bus::new();
//! let sub = bus.subscribe("job.*")?;
//! bus.emit("job.done", 7)?;
//! bus.close();
//! block_on(async {
//!     while let Ok(event) = sub.recv_async().await {
//!         assert_eq!(*event.payload(), 7);
//!     }
//! });
//! # Ok::<(), chanbus::Error>(())
//! ```
//!
//! - Threads and tasks go together: on one bus, and as handles of one subscription. Each event goes to
//!   one of a subscription's handles; whoever waits is woken, one for each event, and one of each kind
//!   where both wait. A subscription goes from one use to the other and back with all that it holds.
//! - Futures may be dropped at any point, as `select!` and timeouts do, and so may streams: an event is taken
//!   when they are ready, not before, and a wake-up that came too late goes to the next who waits.
//! - [`Bus::emit_within`] blocks its thread while it waits for room; every other emit suits a task.
//! - Wakers are called when the event is in all queues, by the emitting thread, also under
//!   [`WakeUps::Handed`].
//! - With the feature `stream` a subscription is a `Stream`, with gaps inline by `with_gaps`, and
//!   keepalives by any timer; the feature `tokio` has one ready.
//!
//! # Memory and time
//!
//! Memory is bounded by configuration: subscriptions by [`BusBuilder::max_subscribers`] (64 unless
//! told otherwise; one more is an error), queues by their capacity, the history by its length, what
//! is [retained](Bus::retained) by its capacity (1,000 topics unless told otherwise), the
//! cache of routes by [`BusBuilder::route_cache`]; nothing grows with the number of topics ever
//! emitted. An idle consumer sleeps in the operating system. What an emit does, step by step, is
//! listed at [`Bus`]. Timestamps come from the kernel's coarse clock unless told otherwise, and may be
//! some milliseconds old: see [`Clock`].
//!
//! # Features
//!
//! None is on by default.
//!
//! - `json`: payloads of named JSON fields, `Bus<Fields>`, and the `emit!` macro; recordings (`Recorder`, `Player`).
//! - `metrics`: `BusMetrics`, the numbers of buses, handlers and dispatchers for the `metrics` facade.
//! - `nats`: `Bridge`, events to and from other processes; with it, `json`.
//! - `stream`: `EventStream`, a subscription as a `futures_core::Stream`.
//! - `testing`: `Probe`, `Capture`, `Fault`, `StepExecutor`, `TestTime`, for tests: see [above](#testing). Brings no dependency.
//! - `tokio`: keepalives of streams by tokio's clock (`EventStream::heartbeats`), and the executor
//!   `Tokio`; with it, `stream`.
//! - `tracing`: what a bus does (target `chanbus::bus`), and registrations, removals and the way of each event
//!   through handlers (target `chanbus::handlers`), as events of `tracing`: see below.
//!
//! ## Tracing
//!
//! | Target | Level | What |
//! |---|---|---|
//! | `chanbus::bus` | `WARN` | a subscription begins to drop events, that is after ten seconds (of the bus's clock) in which it dropped none: its name, number, place, topic, depth, capacity, policy, and how many it dropped in all; one falls behind, by its [high-water mark](SubscriptionBuilder::high_water): its name, number and place; code of the program begins to panic, again after ten seconds without: of which subscription or tap, its place, the topic, and what the panic said |
//! | | `INFO` | that one is back |
//! | | `DEBUG` | a subscription dropped events: how many since this was last said, and in all. Code of the program panicked: each time. Subscriptions come, are refused, closed and go, with their sums; a bus is reset, and closes |
//! | | `TRACE` | each emit or batch: topic, matched, delivered, dropped, filtered, evicted; or why it was refused. What other buses pass on is told there, too |
//! | `chanbus::handlers` | `DEBUG` or `TRACE`, as [`set_debug`] says | registrations, removals, and each event's way |
//! | | `ERROR` | failures that no error handler hears of |
//!
//! | Field | What |
//! |---|---|
//! | `bus`, `bus_id` | the bus's name, if it has one, and its [number](BusView::id), which no other has |
//! | `subscription`, `id` | the subscription's name, if it has one, and its [number](Subscription::id) on its bus |
//! | `place` | `file:line:column` of the line that made the subscription (or the tap) |
//! | `tap` | of a panic in a tap, a pipe or a derived bus: the number that [`TapStats`] have |
//! | `what`, `panic`, `panics` | of a panic: [which code](PanicPlace), what it said, and how many of that subscription or tap were told |
//!
//! Names are as they are: formatters escape them. While nobody listens at a
//! level, it costs one relaxed load. What listens runs on the emitting thread, after the event is in all queues, and
//! under no lock, as taps do: it should be quick, and may call anything on the bus. What it does there is not
//! told in turn, so one that emits hears nothing of its own emit; one that has another thread emit for each
//! line that it hears goes round in circles, and should leave out these targets. (A panic is told where it was
//! caught, as to [`BusBuilder::on_panic`]: that of a filter before its event is in any queue. The destructor of a payload is
//! nobody's: it is told without bus and place, and begins to panic once for the whole process.) If it panics, the panic is caught,
//! and told to [`BusBuilder::on_panic`] as [`PanicPlace::Tracing`] (one that listens to handlers, to nobody), and
//! the emit is as if it had not listened.
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "nats")]
mod bridge;
mod bus;
mod cause;
mod clock;
#[cfg(feature = "json")]
mod codec;
mod deferred;
mod derived;
#[cfg(doctest)]
mod doctests;
mod draft;
mod error;
mod event;
mod handlers;
mod observe;
mod pattern;
mod registry;
mod shield;
mod stats_reader;
mod sync;
mod tally;
#[cfg(feature = "testing")]
mod testing;
mod topic;
#[cfg(feature = "tracing")]
mod traced;
mod value;

#[cfg(feature = "nats")]
#[doc(no_inline)]
pub use async_nats::HeaderMap;
#[cfg(feature = "nats")]
pub use bridge::{
    Bridge, BridgeBuilder, BridgeError, BridgeEvent, BridgeState, BridgeStats, BridgeStopTimeout,
    BridgeStopped, DEFAULT_BRIDGE_CAPACITY, DEFAULT_IN_FLIGHT, Envelope, EnvelopeError,
    EnvelopeErrorKind, Escape, ExportStats, ImportStats, Imported, JetStream, SubjectError,
    SubjectFilter, SubjectMapping,
};
#[cfg(feature = "json")]
pub use bus::Fields;
#[cfg(feature = "tokio")]
pub use bus::TokioTimer;
pub use bus::{
    Backlog, BacklogLevel, Batch, Batched, Beat, Bus, BusBuilder, BusStats, BusView, CaughtPanic,
    Closer, Consumer, DEFAULT_CAPACITY, DEFAULT_HEARTBEAT, DEFAULT_MAX_CHAIN,
    DEFAULT_MAX_SUBSCRIBERS, DEFAULT_RETAINED, DEFAULT_ROUTE_CACHE, Emitted, Heartbeats, Inlet,
    IntoIter, Iter, KnownTopics, MAX_CAPACITY, Overflow, PanicPlace, Publisher, PublisherStats,
    RecvBatchFuture, RecvFuture, Retained, RetainedBuilder, Retention, Role, Subscription,
    SubscriptionBuilder, SubscriptionStats, TapGuard, TapStats, TapTarget, TopicStats, TryIter,
    WaitFuture, WakeUps, WeakBus, global, global_or_default, set_global, take_global,
};
#[cfg(feature = "stream")]
pub use bus::{EventStream, GapStream, HeartbeatStream, IdleTimer, NextFuture};
pub use cause::Cause;
pub use clock::{Clock, ManualClock};
#[cfg(feature = "json")]
pub use codec::{Codec, Json};
pub use deferred::{
    AnyEvent, Applied, ApplyError, ApplyErrorOf, ApplyEvent, AsDeferred, BasicBus, Collected,
    Commit, CommitError, Committed, ContextGuard, ContextInUse, Deferred, DeferredBus, DelayedBus,
    Effect, EffectError, EmitOn, Failed, Finish, FromFn, HookFailure, HookPlace, Later, MultiBus,
    Orchestrator, Outbox, Publish, PublishError, RolledBack, RunEffect, RunSideEffect, Savepoint,
    SideEffect, SideEffectsBus, Wrapped, with_orchestrator,
};
#[cfg(feature = "stream")]
pub use derived::TypedStream;
pub use derived::{
    AnyPayload, Channel, Typed, TypedBatch, TypedBus, TypedEvent, TypedIter, TypedPublisher,
    TypedSubscription, TypedSubscriptionBuilder, TypedWaitFuture,
};
pub use draft::{EventDraft, Unbound};
pub use error::{
    BatchError, BuildError, EmitError, Error, PatternError, PatternsError, RecvError,
    RecvTimeoutError, SubscribeError, TextErrorKind, TopicError, TryRecvError, WaitError,
};
pub use event::Event;
#[cfg(feature = "tokio")]
pub use handlers::Tokio;
pub use handlers::{
    AsyncJob, BlockOn, BoxError, Context, Dispatcher, DispatcherBuilder, DispatcherStats, Drain,
    EmitFuture, Emitter, EmitterBatch, ExecuteError, Executed, Executor, Failure, FailureKind,
    FailurePlace, Flow, HandlerErrors, HandlerGuard, HandlerGuards, HandlerId, HandlerInfo,
    HandlerKind, Handlers, HandlersBuilder, HandlersByKind, HandlersStats, HookGuard, Inline, Job,
    MissingService, Mode, Module, On, Priority, Refusal, Replaced, Report, RunningHandler,
    Services, StartError, StopFuture, StopTimeout, Stopped, SyncJob, ThreadPool, ThreadPoolBuilder,
    Times, Waiting, WhenFull, global_handlers, set_debug,
};
pub use observe::{
    BusExplanation, BusNode, BusRates, DropCause, Explanation, Finding, Hearing, Lint, NearHearing,
    NearMiss, NearReason, Rates, SubscriptionRates, Topology,
};
#[cfg(feature = "metrics")]
pub use observe::{BusMetrics, BusMetricsBuilder, DEFAULT_METRIC_NAMES};
#[cfg(feature = "json")]
pub use observe::{
    DEFAULT_MAX_LINE, DEFAULT_RECORDER_CAPACITY, Damage, DamageKind, PlayError, PlayStopper,
    Played, Player, RecordError, RecordIncomplete, Recorded, Recorder, RecorderBuilder,
    RecorderStats, Speed,
};
pub use pattern::{IntoPatterns, Pattern, Syntax};
pub use stats_reader::StatsReader;
#[cfg(feature = "testing")]
pub use testing::{
    Capture, Expect, ExpectMany, Fault, Probe, Ran, StepExecutor, StepHandle, TestSleep, TestTime,
    TopicsDiffer, Unmet, UnmetReason,
};
pub use topic::Topic;
pub use value::Value;
