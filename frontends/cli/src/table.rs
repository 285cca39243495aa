//! Owns tables on a terminal: columns as wide as their widest cell, two spaces apart.
//! Promises that the text is the same wherever it goes; refuses colours and line drawing.

/// Which side of its column a cell leans on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Align {
    Left,
    Right,
}

/// Rows under a heading.
#[derive(Debug)]
pub(crate) struct Table {
    columns: Vec<(String, Align)>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// An empty table with these columns.
    pub(crate) fn new<const N: usize>(columns: [(&str, Align); N]) -> Table {
        Table {
            columns: columns
                .map(|(heading, align)| (heading.to_owned(), align))
                .into(),
            rows: Vec::new(),
        }
    }

    /// One column more, on the right.
    pub(crate) fn column(&mut self, heading: &str, align: Align) {
        self.columns.push((heading.to_owned(), align));
    }

    /// One row more.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }
}

impl std::fmt::Display for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let headings: Vec<String> = self.columns.iter().map(|(h, _)| h.clone()).collect();
        let lines = || std::iter::once(&headings).chain(&self.rows);
        let width = |column: usize| {
            let cells = lines().filter_map(|line| line.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.columns.len()).map(width).collect();
        for line in lines() {
            let mut text = String::new();
            for ((cell, width), (_, align)) in line.iter().zip(&widths).zip(&self.columns) {
                if !text.is_empty() {
                    text.push_str("  ");
                }
                match align {
                    Align::Left => text.push_str(&format!("{cell:<width$}")),
                    Align::Right => text.push_str(&format!("{cell:>width$}")),
                }
            }
            writeln!(f, "{}", text.trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut table = Table::new([("NAME", Align::Left), ("SAT", Align::Right)]);
        table.row(["ülrike".into(), "1".into()]);
        table.row(["x".into(), "1234".into()]);
        assert_eq!(
            table.to_string(),
            "NAME     SAT\nülrike     1\nx       1234\n"
        );
    }
}
