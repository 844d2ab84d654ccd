//! The stream and the consumers, on the server.

use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use async_nats::jetstream::context::Context;
use async_nats::jetstream::stream::{Config, StorageType};

use super::options::JetStream;
use crate::bridge::error::BridgeError;
use crate::bridge::subject::SubjectFilter;

/// So many messages the server hands out before one is acknowledged: what a broken connection had is waited for as long
/// as it takes to be handed out again, and others come meanwhile.
const HANDED_OUT: i64 = 10_000;

/// What there is to be.
#[derive(Clone)]
pub(in crate::bridge) struct StreamPlan {
    pub(in crate::bridge) options: JetStream,
    /// All that is exported or imported.
    pub(in crate::bridge) subjects: Vec<SubjectFilter>,
    /// All that is imported, one consumer each.
    pub(in crate::bridge) imports: Vec<SubjectFilter>,
    /// By what the server knows this bridge again, or this group of them.
    durable: String,
    /// It is a group.
    pub(super) shared: bool,
}

impl StreamPlan {
    pub(in crate::bridge) fn new(
        options: JetStream,
        subjects: Vec<SubjectFilter>,
        imports: Vec<SubjectFilter>,
        name: &str,
        group: Option<&str>,
    ) -> Result<Self, BridgeError> {
        let wild = |it: &&SubjectFilter| it.as_str().starts_with(['*', '>']);
        if let Some(subject) = subjects.iter().find(wild) {
            return Err(BridgeError::NoPrefix {
                subject: subject.as_str().to_owned(),
            });
        }
        Ok(StreamPlan {
            options,
            subjects: without_overlaps(subjects),
            imports,
            durable: group.unwrap_or(name).to_owned(),
            shared: group.is_some(),
        })
    }

    /// Sees to it that the stream and the consumers are there. What the server says if not.
    pub(super) async fn ensure(&self, context: &Context) -> Result<(), String> {
        self.ensure_stream(context).await?;
        for filter in &self.imports {
            self.ensure_consumer(context, filter).await?;
        }
        Ok(())
    }

    /// Sees to it that the stream takes our subjects.
    pub(super) async fn ensure_stream(&self, context: &Context) -> Result<(), String> {
        let options = &self.options;
        if !options.create {
            let there = context.get_stream(&options.stream).await;
            return there.map(drop).map_err(|error| self.about(&error));
        }
        let config = Config {
            name: options.stream.clone(),
            subjects: self
                .subjects
                .iter()
                .map(|it| it.as_str().to_owned())
                .collect(),
            storage: if options.memory {
                StorageType::Memory
            } else {
                StorageType::File
            },
            max_age: options.max_age,
            max_bytes: options.max_bytes,
            num_replicas: options.replicas,
            duplicate_window: options.known_for(),
            ..Config::default()
        };
        let stream = context.get_or_create_stream(config).await;
        let stream = stream.map_err(|error| self.about(&error))?;
        let mut config = stream.cached_info().config.clone();
        if self.add_missing(&mut config.subjects) {
            let updated = context.update_stream(config).await;
            updated.map_err(|error| self.about(&error))?;
        }
        Ok(())
    }

    /// Adds our subjects to those that a stream has; whether there is anything new.
    fn add_missing(&self, subjects: &mut Vec<String>) -> bool {
        let had = subjects.clone();
        for wanted in &self.subjects {
            let taken = |has: &String| SubjectFilter::new(has.clone()).includes(wanted);
            if subjects.iter().any(taken) {
                continue;
            }
            // A server refuses subjects of one stream that overlap.
            subjects.retain(|has| !wanted.includes(&SubjectFilter::new(has.clone())));
            subjects.push(wanted.as_str().to_owned());
        }
        *subjects != had
    }

    /// The consumer of one of the imports: it stays on the server, and goes on where it stopped.
    pub(super) async fn ensure_consumer(
        &self,
        context: &Context,
        filter: &SubjectFilter,
    ) -> Result<async_nats::jetstream::consumer::PullConsumer, String> {
        let stream = context.get_stream(&self.options.stream).await;
        let stream = stream.map_err(|error| self.about(&error))?;
        let name = self.consumer_name(filter);
        let config = pull::Config {
            durable_name: Some(name.clone()),
            description: Some(format!("chanbus: {filter}")),
            deliver_policy: if self.options.everything {
                DeliverPolicy::All
            } else {
                DeliverPolicy::New
            },
            ack_policy: AckPolicy::Explicit,
            ack_wait: self.options.ack_wait,
            filter_subject: filter.as_str().to_owned(),
            max_ack_pending: HANDED_OUT,
            ..pull::Config::default()
        };
        let consumer = stream.get_or_create_consumer(&name, config).await;
        consumer.map_err(|error| format!("no consumer {name:?}: {error}"))
    }

    /// The server allows no dots and wildcards in a name, so the subject is in it as a number that every build of
    /// this crate computes alike (FNV-1a). A group's is another than that of a bridge of the same name, with
    /// whom it shares nothing: no subject ends with a blank.
    fn consumer_name(&self, filter: &SubjectFilter) -> String {
        let number = filter
            .as_str()
            .bytes()
            .chain(self.shared.then_some(b' '))
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
            });
        format!("{}_{number:016x}", self.durable)
    }

    fn about(&self, error: &dyn std::fmt::Display) -> String {
        format!("no stream {:?}: {error}", self.options.stream)
    }
}

/// A server refuses a stream with subjects that overlap: two that do become one that has both, all that
/// begins as they both do.
fn without_overlaps(subjects: Vec<SubjectFilter>) -> Vec<SubjectFilter> {
    let mut apart: Vec<SubjectFilter> = Vec::with_capacity(subjects.len());
    for mut one in subjects {
        while let Some(at) = apart.iter().position(|other| overlap(&one, other)) {
            one = both(&one, &apart.remove(at));
        }
        apart.push(one);
    }
    apart
}

/// Whether there is a subject that both match.
fn overlap(one: &SubjectFilter, other: &SubjectFilter) -> bool {
    let (mut one, mut other) = (one.as_str().split('.'), other.as_str().split('.'));
    loop {
        match (one.next(), other.next()) {
            (None, None) | (Some(">"), Some(_)) | (Some(_), Some(">")) => return true,
            (None, Some(_)) | (Some(_), None) => return false,
            (Some("*"), _) | (_, Some("*")) => {}
            (one, other) if one == other => {}
            _ => return false,
        }
    }
}

/// One that matches all that either matches. Two that overlap and begin with no wildcard begin alike.
fn both(one: &SubjectFilter, other: &SubjectFilter) -> SubjectFilter {
    for (wide, narrow) in [(one, other), (other, one)] {
        if wide.includes(narrow) {
            return wide.clone();
        }
    }
    let pairs = one.as_str().split('.').zip(other.as_str().split('.'));
    let alike = pairs.take_while(|(one, other)| one == other && !["*", ">"].contains(one));
    let mut text: String = alike.flat_map(|(token, _)| [token, "."]).collect();
    text.push('>');
    SubjectFilter::new(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(subjects: &[&str]) -> StreamPlan {
        StreamPlan {
            options: JetStream::stream("S"),
            subjects: subjects
                .iter()
                .map(|text| SubjectFilter::new((*text).to_owned()))
                .collect(),
            imports: Vec::new(),
            durable: "d".to_owned(),
            shared: false,
        }
    }

    #[test]
    fn subjects_that_a_stream_lacks_are_added_and_those_they_include_go() {
        let mut has = vec!["a.*".to_owned(), "b".to_owned()];
        assert!(!plan(&["a.x", "b"]).add_missing(&mut has));
        assert!(plan(&["a.>", "c"]).add_missing(&mut has));
        assert_eq!(has, ["b", "a.>", "c"]);
    }

    #[test]
    fn subjects_that_overlap_become_one() {
        let texts = |subjects: &[&str]| {
            let subjects = subjects
                .iter()
                .map(|it| SubjectFilter::new((*it).to_owned()));
            let apart = without_overlaps(subjects.collect());
            apart
                .iter()
                .map(|it| it.as_str().to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(texts(&["a.b", "a.>", "a.c"]), ["a.>"]);
        assert_eq!(texts(&["q.a.*", "r", "q.*.b"]), ["r", "q.>"]);
        assert_eq!(texts(&["a.b.*.c", "a.b.x.*", "a.y"]), ["a.b.>", "a.y"]);
        assert_eq!(texts(&["a", "a.b"]), ["a", "a.b"]);
        assert_eq!(texts(&["a.*.c", "a.b.*", "a.x.c"]), ["a.>"]);
    }

    #[test]
    fn a_stream_that_would_take_the_servers_own_is_refused() {
        for subject in [">", "*.a", "*"] {
            let subjects = vec![SubjectFilter::new(subject.to_owned())];
            let plan = StreamPlan::new(JetStream::stream("S"), subjects, Vec::new(), "d", None);
            let subject = subject.to_owned();
            assert_eq!(plan.err(), Some(BridgeError::NoPrefix { subject }));
        }
    }

    #[test]
    fn a_consumer_has_the_same_name_in_every_life() {
        let plan = plan(&[]);
        let name = plan.consumer_name(&SubjectFilter::new("a.>".to_owned()));
        // What FNV-1a makes of it; a server has consumers of earlier versions by this name.
        assert_eq!(name, format!("d_{:016x}", 0xe61d_ed19_0466_e0e8_u64));
        assert_ne!(
            name,
            plan.consumer_name(&SubjectFilter::new("a.*".to_owned()))
        );
        let group = StreamPlan {
            shared: true,
            ..plan
        };
        let filter = SubjectFilter::new("a.>".to_owned());
        assert_ne!(name, group.consumer_name(&filter), "a group of that name");
    }
}
