//! Owns the way of warnings and errors into the log.
//! Promises to take a moment and never to wait; refuses what is less than a warning.

use everett_proto::v1;
use everett_proto::v1::log_record::Body;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

use crate::queue::Sink;

/// Characters of a value that are kept.
const MAX_VALUE_CHARS: usize = 4_096;

/// Puts warnings and errors of `tracing` into the log.
pub struct LogLayer(Sink);

impl LogLayer {
    /// Into this queue.
    pub fn new(sink: Sink) -> LogLayer {
        LogLayer(sink)
    }
}

impl<S: Subscriber> Layer<S> for LogLayer {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let level = match *event.metadata().level() {
            Level::ERROR => v1::LogLevel::Error,
            Level::WARN => v1::LogLevel::Warn,
            _ => return,
        };
        let mut fields = Fields::default();
        event.record(&mut fields);
        // No room is counted by the queue.
        let _ = self.0.put(Body::Message(v1::LogMessage {
            level: level.into(),
            target: event.metadata().target().to_owned(),
            text: fields.text,
            fields: fields.rest,
        }));
    }
}

/// The text of an event, and what goes with it.
#[derive(Default)]
struct Fields {
    text: String,
    rest: Vec<v1::LogField>,
}

impl Fields {
    fn note(&mut self, field: &Field, value: String) {
        let value = match value.char_indices().nth(MAX_VALUE_CHARS) {
            Some((end, _)) => format!("{}…", &value[..end]),
            None => value,
        };
        match field.name() {
            "message" => self.text = value,
            name => self.rest.push(v1::LogField {
                name: name.to_owned(),
                value,
            }),
        }
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.note(field, value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.note(field, format!("{value:?}"));
    }
}
