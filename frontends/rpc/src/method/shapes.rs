//! Owns the shapes of what methods take and answer, field by field, as help tells them.
//! Promises the names and types of Core's fields, in our own words.
//! Refuses to say what a method takes: that is its table of arguments.

/// The shapes of all methods; its first lines say how it is laid out.
const SHAPES: &str = include_str!("shapes.txt");

/// A line of a shape: JSON as it lies there, and what it means.
pub(super) type Line = (&'static str, &'static str);

/// One form of an answer, or what an argument holds.
#[derive(Debug)]
pub(super) struct Shape {
    /// The heading of an answer, or the argument's name.
    pub(super) heading: &'static str,
    pub(super) lines: Vec<Line>,
}

/// What is known of a method.
#[derive(Debug, Default)]
pub(super) struct Shapes {
    /// What some of its arguments hold.
    pub(super) arguments: Vec<Shape>,
    /// The forms of its answer; none where one line of words says it.
    pub(super) results: Vec<Shape>,
}

/// The shapes of a method.
pub(super) fn of(method: &str) -> Shapes {
    let mut shapes = Shapes::default();
    let begins = |line: &&str| line.strip_prefix("# ") == Some(method);
    let lines = SHAPES.lines().skip_while(|line| !begins(line)).skip(1);
    let mut in_results = false;
    for line in lines.take_while(|line| !line.starts_with("# ")) {
        let begun = |heading| Shape {
            heading,
            lines: Vec::new(),
        };
        if let Some(heading) = line.strip_prefix("> ") {
            shapes.arguments.push(begun(heading));
            continue;
        }
        if let Some(heading) = line.strip_prefix("= ") {
            in_results = true;
            shapes.results.push(begun(heading));
            continue;
        }
        let list = match in_results {
            true => &mut shapes.results,
            false => &mut shapes.arguments,
        };
        if let Some(shape) = list.last_mut() {
            shape
                .lines
                .push(line.split_once('\t').unwrap_or((line, "")));
        }
    }
    shapes
}

/// The names of all methods with shapes.
#[cfg(test)]
pub(super) fn methods() -> impl Iterator<Item = &'static str> {
    SHAPES.lines().filter_map(|line| line.strip_prefix("# "))
}
