//! Owns the text format of Prometheus, version 0.0.4.
//! Promises that each family has its help and its type once, before its samples, and that values are escaped.

use everett_node::meters::{FamilyNow, ValueNow};

/// The content type of a page.
pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// A page as it is written.
#[derive(Default)]
pub(crate) struct Page(String);

/// What a family is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Type {
    Counter,
    Gauge,
}

impl Page {
    /// Begins a family; its samples follow.
    pub(crate) fn family(&mut self, name: &'static str, kind: Type, help: &str) -> Family<'_> {
        let kind = match kind {
            Type::Counter => "counter",
            Type::Gauge => "gauge",
        };
        self.head(name, kind, help);
        Family { page: self, name }
    }

    /// A family of one sample.
    pub(crate) fn one(&mut self, name: &'static str, kind: Type, help: &str, value: f64) {
        self.family(name, kind, help).sample(&[], value);
    }

    fn head(&mut self, name: &str, kind: &str, help: &str) {
        let help = help.replace('\\', "\\\\").replace('\n', "\\n");
        self.0
            .push_str(&format!("# HELP {name} {help}\n# TYPE {name} {kind}\n"));
    }

    fn line(&mut self, name: &str, labels: &[(&str, &str)], value: f64) {
        self.0.push_str(name);
        if !labels.is_empty() {
            let labels = labels
                .iter()
                .map(|(name, value)| format!("{name}=\"{}\"", escape(value)));
            self.0
                .push_str(&format!("{{{}}}", labels.collect::<Vec<_>>().join(",")));
        }
        self.0.push_str(&format!(" {}\n", number(value)));
    }

    /// A family that a frontend keeps.
    pub(crate) fn kept(&mut self, family: &FamilyNow) {
        let histogram = family
            .series
            .iter()
            .any(|series| matches!(series.value, ValueNow::Histogram { .. }));
        let kind = if histogram { "histogram" } else { "counter" };
        self.head(family.name, kind, family.help);
        for series in &family.series {
            let labels: Vec<(&str, &str)> = series
                .labels
                .iter()
                .map(|(name, value)| (*name, value.as_str()))
                .collect();
            match &series.value {
                ValueNow::Counter(count) => self.line(family.name, &labels, *count as f64),
                ValueNow::Histogram {
                    at_most,
                    count,
                    sum,
                } => {
                    let bucket = format!("{}_bucket", family.name);
                    let mut with = |bound: &str, count: u64| {
                        let mut labels = labels.clone();
                        labels.push(("le", bound));
                        self.line(&bucket, &labels, count as f64);
                    };
                    for (bound, count) in at_most {
                        with(&number(*bound), *count);
                    }
                    with("+Inf", *count);
                    self.line(&format!("{}_sum", family.name), &labels, *sum);
                    self.line(&format!("{}_count", family.name), &labels, *count as f64);
                }
            }
        }
    }

    pub(crate) fn into_text(self) -> String {
        self.0
    }
}

/// A family that was begun.
pub(crate) struct Family<'p> {
    page: &'p mut Page,
    name: &'static str,
}

impl Family<'_> {
    pub(crate) fn sample(&mut self, labels: &[(&str, &str)], value: f64) {
        self.page.line(self.name, labels, value);
    }
}

fn number(value: f64) -> String {
    if value.is_nan() {
        "NaN".to_owned()
    } else if value.is_infinite() {
        if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned()
    } else {
        value.to_string()
    }
}

fn escape(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use everett_node::meters::{Described, Meters};

    use super::*;

    #[test]
    fn a_family_has_its_help_and_its_values_are_escaped() {
        let mut page = Page::default();
        let mut family = page.family("a_total", Type::Counter, "What\nit is.");
        family.sample(&[("name", "a \"b\" \\ \n")], 3.0);
        page.one("b_bytes", Type::Gauge, "Size.", 1.5);
        assert_eq!(
            page.into_text(),
            "# HELP a_total What\\nit is.\n# TYPE a_total counter\na_total{name=\"a \\\"b\\\" \\\\ \\n\"} 3\n\
             # HELP b_bytes Size.\n# TYPE b_bytes gauge\nb_bytes 1.5\n"
        );
    }

    #[test]
    fn a_histogram_has_its_buckets_sum_and_count() {
        let meters = Meters::default();
        let described = Described {
            name: "h_seconds",
            help: "Times.",
        };
        let histogram = meters.histogram(described, &[0.5, 1.0], &[("m", "x")]);
        histogram.see(0.25);
        histogram.see(2.0);
        let mut page = Page::default();
        page.kept(&meters.now()[0]);
        assert_eq!(
            page.into_text(),
            "# HELP h_seconds Times.\n# TYPE h_seconds histogram\nh_seconds_bucket{m=\"x\",le=\"0.5\"} 1\n\
             h_seconds_bucket{m=\"x\",le=\"1\"} 1\nh_seconds_bucket{m=\"x\",le=\"+Inf\"} 2\nh_seconds_sum{m=\"x\"} 2.25\n\
             h_seconds_count{m=\"x\"} 2\n"
        );
    }
}
