//! Line after line onto a bus.

use std::io::BufRead;

use super::line::{self, Fault, Line, RawEvent};
use super::lines::RawLine;
use super::pace::Pace;
use super::{DamageKind, PlayError, Played, Player};
use crate::bus::Bus;
use crate::cause::Cause;
use crate::clock;
use crate::codec::{Codec, shielded};
use crate::error::EmitError;
use crate::event::Event;
use crate::pattern::{IntoPatterns, Pattern};
use crate::shield::drop_shielded;
use crate::sync::Arc;
use crate::topic::Topic;
use crate::value::Value;

/// An event that was recorded, but for the stamp that it will have.
struct Ready<T> {
    topic: Topic,
    nanos: u64,
    source: Option<String>,
    metadata: Vec<(String, Value)>,
    cause: Option<Cause>,
    payload: T,
}

/// What a line comes to.
enum Found<T> {
    Event(Ready<T>),
    /// An event that is left out.
    Skipped,
    Header {
        version: u64,
    },
    Gap {
        missed: u64,
    },
    End,
}

/// What comes next in a recording.
enum Next<T> {
    Event(Ready<T>),
    End,
    Stopped,
}

impl<R: BufRead, C> Player<R, C> {
    /// Emits all that is left, with the pauses that its [speed](Player::speed) has, and tells what it has done since it was
    /// made. The first event is emitted at once.
    ///
    /// A [stop](crate::PlayStopper), and an error, lose nothing: the next call goes on after the last line that was read. (An event
    /// that waited for its time when the play was stopped comes with the next call, at once.)
    ///
    /// # Errors
    ///
    /// The bus is closed, the reader failed, the recording is of another version; or a pattern or the speed is none, and
    /// nothing was played.
    ///
    /// ```
    /// # use chanbus::{Bus, Fields, Player};
    /// let recording = b"{\"time\":1,\"topic\":\"a\",\"json\":{}}\n{\"time\":2,\"topic\":\"b\",\"json\":{}}\n";
    /// let bus: Bus<Fields> = Bus::new();
    /// assert_eq!(Player::new(&recording[..]).play(&bus)?.emitted, 2);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn play<T: Send + Sync + 'static>(&mut self, bus: &Bus<T>) -> Result<Played, PlayError>
    where
        C: Codec<T>,
    {
        self.check()?;
        let factor = self.speed.check();
        factor.map_err(|factor| PlayError::Speed { factor })?;
        self.played.stopped = false;
        let mut pace = Pace::new(self.speed, self.longest);
        loop {
            if bus.is_closed() {
                return Err(self.closed());
            }
            let ready = match self.next(true)? {
                Next::Event(ready) => ready,
                Next::End => break,
                Next::Stopped => {
                    self.stopped();
                    break;
                }
            };
            let pause = pace.pause(ready.nanos);
            if pace.wait(pause, self.wait.as_mut(), &self.brake) {
                // Not emitted: it comes again.
                self.lines.unread();
                drop_shielded(ready);
                self.stopped();
                break;
            }
            let event = self.finish(ready);
            self.emit(bus, event)?;
        }
        Ok(self.played.clone())
    }

    /// Emits the next event, at once, and returns it; nothing at the end. Events that the bus refuses are passed over.
    ///
    /// # Errors
    ///
    /// As [`play`](Player::play), but for the speed, which steps do not have.
    ///
    /// ```
    /// # use chanbus::{Bus, Fields, Player};
    /// let recording = b"{\"time\":1,\"topic\":\"a\",\"json\":{}}\n{\"time\":2,\"topic\":\"b\",\"json\":{}}\n";
    /// let bus: Bus<Fields> = Bus::new();
    /// let mut player = Player::new(&recording[..]);
    /// assert_eq!(player.step(&bus)?.unwrap().topic(), "a");
    /// assert_eq!(player.step(&bus)?.unwrap().topic(), "b");
    /// assert!(player.step(&bus)?.is_none());
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn step<T: Send + Sync + 'static>(
        &mut self,
        bus: &Bus<T>,
    ) -> Result<Option<Event<T>>, PlayError>
    where
        C: Codec<T>,
    {
        self.step_one(bus, false)
    }

    /// Emits events, without pauses, up to and with the first one whose topic matches one of these patterns (in the bus's
    /// syntax), and returns that; nothing if none came, or it was [stopped](crate::PlayStopper) before.
    ///
    /// # Errors
    ///
    /// As [`step`](Player::step), and a text that is no pattern.
    ///
    /// ```
    /// # use chanbus::{Bus, Fields, Player};
    /// let recording = b"{\"time\":1,\"topic\":\"a\",\"json\":{}}\n{\"time\":2,\"topic\":\"b\",\"json\":{}}\n";
    /// let bus: Bus<Fields> = Bus::new();
    /// let mut player = Player::new(&recording[..]);
    /// assert_eq!(player.step_until(&bus, "b")?.unwrap().topic(), "b");
    /// assert_eq!(player.played().emitted, 2);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn step_until<T: Send + Sync + 'static>(
        &mut self,
        bus: &Bus<T>,
        patterns: impl IntoPatterns,
    ) -> Result<Option<Event<T>>, PlayError>
    where
        C: Codec<T>,
    {
        let wanted = patterns
            .into_patterns(bus.syntax())
            .map_err(PlayError::Patterns)?;
        self.played.stopped = false;
        while let Some(event) = self.step_one(bus, true)? {
            if matches_any(&wanted, event.topic()) {
                return Ok(Some(event));
            }
            drop_shielded(event);
        }
        Ok(None)
    }

    /// Reads the next event, and emits it nowhere; nothing at the end.
    ///
    /// # Errors
    ///
    /// As [`step`](Player::step), but for buses.
    ///
    /// ```
    /// # use chanbus::{Event, Fields, Player};
    /// let recording = b"{\"time\":1,\"topic\":\"a\",\"json\":{\"n\":7}}\n";
    /// let mut player = Player::new(&recording[..]);
    /// let event: Event<Fields> = player.read()?.unwrap();
    /// assert_eq!(event.payload()["n"], 7);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn read<T>(&mut self) -> Result<Option<Event<T>>, PlayError>
    where
        C: Codec<T>,
    {
        self.check()?;
        match self.next(false)? {
            Next::Event(ready) => Ok(Some(self.finish(ready))),
            Next::End | Next::Stopped => Ok(None),
        }
    }

    fn step_one<T: Send + Sync + 'static>(
        &mut self,
        bus: &Bus<T>,
        braked: bool,
    ) -> Result<Option<Event<T>>, PlayError>
    where
        C: Codec<T>,
    {
        self.check()?;
        loop {
            if bus.is_closed() {
                return Err(self.closed());
            }
            match self.next(braked)? {
                Next::Event(ready) => {
                    let event = self.finish(ready);
                    let taken = self.emit(bus, event.clone());
                    if let Ok(true) = taken {
                        return Ok(Some(event));
                    }
                    // Its payload is the user's.
                    drop_shielded(event);
                    taken?;
                }
                Next::End => return Ok(None),
                Next::Stopped => {
                    self.stopped();
                    return Ok(None);
                }
            }
        }
    }

    /// Whether the bus took it.
    fn emit<T: Send + Sync + 'static>(
        &mut self,
        bus: &Bus<T>,
        event: Event<T>,
    ) -> Result<bool, PlayError> {
        let done = match self.patience {
            None => bus.emit_event(event),
            Some(timeout) => bus.emit_event_within(event, timeout),
        };
        match done {
            Ok(emitted) => {
                self.played.emitted += 1;
                self.played.dropped += emitted.dropped as u64;
                self.played.evicted += emitted.evicted as u64;
                Ok(true)
            }
            Err(error) => {
                let closed = matches!(error, EmitError::Closed(_));
                // It holds the event, whose payload is the user's.
                drop_shielded(error);
                if closed {
                    // On another bus it comes again.
                    self.lines.unread();
                    return Err(self.closed());
                }
                self.played.refused += 1;
                Ok(false)
            }
        }
    }

    /// With its stamp: the moment before it is emitted.
    fn finish<T>(&self, ready: Ready<T>) -> Event<T> {
        let nanos = match &self.stamp {
            None => ready.nanos,
            Some(clock) => clock.now_nanos(),
        };
        let mut draft = Event::draft(&ready.topic, ready.payload)
            .timestamp(clock::from_nanos(nanos))
            .metadata_all(ready.metadata);
        if let Some(source) = ready.source {
            draft = draft.source(source);
        }
        if let Some(cause) = ready.cause {
            draft = draft.cause(cause);
        }
        draft.build_on(ready.topic.clone())
    }

    fn check(&self) -> Result<(), PlayError> {
        match &self.bad_patterns {
            None => Ok(()),
            Some(error) => Err(PlayError::Patterns(error.clone())),
        }
    }

    fn closed(&self) -> PlayError {
        PlayError::Closed {
            line: self.lines.last(),
        }
    }

    fn stopped(&mut self) {
        self.brake.release();
        self.played.stopped = true;
    }

    /// The next event that is to be played; the brake is looked at if `braked` says so.
    fn next<T>(&mut self, braked: bool) -> Result<Next<T>, PlayError>
    where
        C: Codec<T>,
    {
        loop {
            if braked && self.brake.is_on() {
                return Ok(Next::Stopped);
            }
            let line = match self.lines.next() {
                Ok(Some(line)) => line,
                Ok(None) => return Ok(Next::End),
                Err(error) => {
                    return Err(PlayError::Read {
                        line: self.lines.last() + 1,
                        error: Arc::new(error),
                    });
                }
            };
            let number = line.number;
            self.played.lines = number;
            if line.is_empty() {
                continue;
            }
            // Whatever is left out, what the recording is must be known.
            let first = !self.begun;
            self.begun = true;
            let before = number < self.from_line;
            if before && !first {
                continue;
            }
            self.played.whole = false;
            let mut wanted = Wanted {
                patterns: &self.patterns,
                before,
                from_nanos: self.from_time.map_or(0, clock::to_nanos),
            };
            let found = found(&line, &self.codec, &mut wanted);
            if wanted.from_nanos == 0 {
                self.from_time = None;
            }
            if first && !matches!(found, Ok(Found::Header { .. }) | Err(_)) {
                let detail = "it does not say what it is; it may have lost its first lines";
                self.played.damaged(number, DamageKind::Header, detail);
            }
            match found {
                Ok(Found::Event(ready)) => return Ok(Next::Event(ready)),
                Ok(Found::Skipped) => self.played.skipped += 1,
                Ok(Found::Header { version }) if version == line::VERSION => {}
                Ok(Found::Header { version }) => {
                    return Err(PlayError::Version {
                        line: number,
                        found: version,
                    });
                }
                Ok(Found::Gap { missed }) => {
                    self.played.missed = self.played.missed.saturating_add(missed);
                }
                Ok(Found::End) => self.played.whole = true,
                Err((kind, detail)) => self.played.damaged(number, kind, &detail),
            }
        }
    }
}

/// Which events are not left out.
struct Wanted<'a> {
    patterns: &'a [Pattern],
    /// None of this line.
    before: bool,
    /// None before one of this time; 0 from then on, whether that one is played or not.
    from_nanos: u64,
}

fn matches_any(patterns: &[Pattern], topic: &Topic) -> bool {
    patterns.iter().any(|pattern| pattern.matches(topic))
}

/// What is wrong with a line, and more of that.
type Harm = (DamageKind, String);

fn found<T, C: Codec<T>>(
    line: &RawLine<'_>,
    codec: &C,
    wanted: &mut Wanted<'_>,
) -> Result<Found<T>, Harm> {
    if line.is_too_long() {
        let (length, kept) = (line.length, line.bytes.len());
        let detail = format!("{length} bytes, more than {kept}: raise Player::max_line");
        return Err((DamageKind::Long, detail));
    }
    let harm = |kind, detail| match line.ended {
        true => (kind, detail),
        false => (DamageKind::Cut, detail),
    };
    let text = std::str::from_utf8(line.bytes)
        .map_err(|error| harm(DamageKind::Utf8, error.to_string()))?;
    match line::read(text) {
        Ok(Line::Event(raw)) => event(raw, codec, wanted),
        Ok(Line::Header { version }) => Ok(Found::Header { version }),
        Ok(Line::Gap { missed }) => Ok(Found::Gap { missed }),
        Ok(Line::End) => Ok(Found::End),
        Err(Fault::Json(detail)) => Err(harm(DamageKind::Json, detail)),
        Err(Fault::Shape(detail)) => Err((DamageKind::Shape, detail)),
    }
}

fn event<T, C: Codec<T>>(
    raw: RawEvent<'_>,
    codec: &C,
    wanted: &mut Wanted<'_>,
) -> Result<Found<T>, Harm> {
    if wanted.before || raw.nanos < wanted.from_nanos {
        return Ok(Found::Skipped);
    }
    wanted.from_nanos = 0;
    let topic =
        |text: String| Topic::new(text).map_err(|error| (DamageKind::Topic, error.to_string()));
    let name = topic(raw.topic)?;
    if !wanted.patterns.is_empty() && !matches_any(wanted.patterns, &name) {
        return Ok(Found::Skipped);
    }
    let causes: Vec<Topic> = raw.cause.into_iter().map(topic).collect::<Result<_, _>>()?;
    let payload = shielded(|| codec.decode(&name, raw.payload.bytes()))
        .map_err(|reason| (DamageKind::Payload, reason))?;
    Ok(Found::Event(Ready {
        topic: name,
        nanos: raw.nanos,
        source: raw.source,
        metadata: raw.metadata.0,
        cause: Cause::of_topics(causes),
        payload,
    }))
}
