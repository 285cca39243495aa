//! Owns the division of long lists into pages.
//! Promises that every item is on one page, and refuses pages beyond the last.

use std::ops::Range;

use crate::fault::Fault;

/// One page of a list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Part {
    /// From 1.
    pub(super) page: u64,
    pub(super) pages: u64,
    /// Items of all pages.
    pub(super) items: u64,
    /// The indices of this page's items.
    pub(super) range: Range<usize>,
    /// The address of a page, but for its number.
    pub(super) link: String,
}

impl Part {
    /// Page `page` of `items` items, `size` on each; `link` is the address of a page, but for its number.
    pub(super) fn of(page: u64, items: usize, size: usize, link: String) -> Result<Part, Fault> {
        let pages = items.div_ceil(size).max(1) as u64;
        if page > pages {
            return Err(Fault::NoSuchPart { page, last: pages });
        }
        // No larger than `items`: `page` is at most `pages`.
        let first = (page as usize - 1) * size;
        Ok(Part {
            page,
            pages,
            items: items as u64,
            range: first..(first + size).min(items),
            link,
        })
    }

    /// The page before this one.
    pub(super) fn before(&self) -> Option<u64> {
        (self.page > 1).then(|| self.page - 1)
    }

    /// The page behind this one.
    pub(super) fn behind(&self) -> Option<u64> {
        (self.page < self.pages).then(|| self.page + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(page: u64, items: usize) -> Result<Part, Fault> {
        Part::of(page, items, 10, "?page=".to_owned())
    }

    #[test]
    fn every_item_is_on_one_page() {
        for items in [0, 1, 9, 10, 11, 25] {
            let pages = part(1, items).unwrap().pages;
            let all: Vec<usize> = (1..=pages)
                .flat_map(|page| part(page, items).unwrap().range)
                .collect();
            assert_eq!(all, (0..items).collect::<Vec<_>>());
            assert!(matches!(
                part(pages + 1, items),
                Err(Fault::NoSuchPart { .. })
            ));
        }
        assert_eq!(part(1, 25).unwrap().before(), None);
        assert_eq!(part(2, 25).unwrap().behind(), Some(3));
        assert_eq!(part(3, 25).unwrap().behind(), None);
    }
}
