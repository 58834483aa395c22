//! The pages of the database file as they lie on the disk: nothing that was deleted is left in them, and
//! each ends with a sum that tells whether it is still what was written.
//!
//! SQLite overwrites what it deletes, but not the copies it leaves behind when it moves rows within a page or
//! between pages: they stay in the gap between the row pointers and the rows. Here that gap is cleared, and
//! with it what is left in free blocks. Nothing else of a page is touched.
//!
//! The sum is that of SQLite's own checksum extension (`cksumvfs`), which can read our files too: eight bytes
//! at the end of each page, for which the header of the database reserves room.

use super::versions::{APPLICATION_ID, WITH_SUMS};

/// Bytes at the end of each page that hold its sum.
pub(super) const SUM_LEN: usize = 8;

/// Size of the header of a database, before the first page's own.
pub(super) const FILE_HEADER_LEN: usize = 100;

/// From this page number on the first byte of a page of another kind may be that of one with rows.
pub(super) const PAGES_MAX: u64 = 0x0200_0000;

/// Whether this is a whole page rather than a part of one.
pub(super) fn is_page(len: usize, offset: u64) -> bool {
    len >= 512 && len.is_power_of_two() && offset.is_multiple_of(len as u64)
}

/// What the header of a database tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    /// Whether pages end with their sums. A bit of the header may have been lost: either of two signs is
    /// enough, so that the first page is looked at and found to be damaged.
    pub is_summed: bool,
    /// How many pages there are.
    pub pages: u64,
}

impl Header {
    /// Reads the header at the beginning of a database file.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let header = bytes.first_chunk::<FILE_HEADER_LEN>()?;
        let number = |at: usize| {
            let bytes = header[at..at + 4].try_into().unwrap_or_default();
            u32::from_be_bytes(bytes)
        };
        let is_reserved = usize::from(header[20]) == SUM_LEN;
        let is_recent = number(60) as usize >= WITH_SUMS && number(68) == APPLICATION_ID as u32;
        Some(Self {
            is_summed: header.starts_with(b"SQLite format 3\0") && (is_reserved || is_recent),
            pages: number(28).into(),
        })
    }
}

/// Puts the sum of a page at its end.
pub(super) fn seal(page: &mut [u8]) {
    if let Some((content, end)) = page.split_last_chunk_mut::<SUM_LEN>() {
        *end = sum(content);
    }
}

/// Whether a page is what was written.
pub(super) fn is_sound(page: &[u8]) -> bool {
    let split = page.split_last_chunk::<SUM_LEN>();
    split.is_some_and(|(content, end)| sum(content) == *end)
}

fn sum(content: &[u8]) -> [u8; SUM_LEN] {
    let (mut first, mut second) = (0_u32, 0_u32);
    let (pairs, _) = content.as_chunks::<8>();
    for [a, b, c, d, e, f, g, h] in pairs {
        let (left, right) = ([*a, *b, *c, *d], [*e, *f, *g, *h]);
        first = first
            .wrapping_add(u32::from_le_bytes(left))
            .wrapping_add(second);
        second = second
            .wrapping_add(u32::from_le_bytes(right))
            .wrapping_add(first);
    }
    let mut sum = [0; SUM_LEN];
    sum[..4].copy_from_slice(&first.to_le_bytes());
    sum[4..].copy_from_slice(&second.to_le_bytes());
    sum
}

/// Clears what no row of a page uses. A page that holds no rows, or is not as SQLite makes them, stays as it
/// is.
pub(super) fn clear_gaps(page: &mut [u8], is_first: bool) {
    let Some(gaps) = gaps(page, is_first) else {
        return;
    };
    for (from, to) in gaps {
        if let Some(gap) = page.get_mut(from..to) {
            gap.fill(0);
        }
    }
}

/// The parts of a page with rows that hold none: the gap, and free blocks behind their heads.
fn gaps(page: &[u8], is_first: bool) -> Option<Vec<(usize, usize)>> {
    let word = |at: usize| -> Option<usize> {
        let bytes = page.get(at..at + 2)?;
        Some(usize::from(u16::from_be_bytes(bytes.try_into().ok()?)))
    };
    let start = if is_first { FILE_HEADER_LEN } else { 0 };
    let header_len = match page.get(start)? {
        2 | 5 => 12,
        10 | 13 => 8,
        _ => return None,
    };
    let rows = word(start + 3)?;
    let pointers_end = start + header_len + 2 * rows;
    let content = match word(start + 5)? {
        0 => 1 << 16,
        content => content,
    };
    if content > page.len() || pointers_end > content {
        return None;
    }
    let mut gaps = vec![(pointers_end, content)];
    let mut block = word(start + 1)?;
    let mut least = content;
    while block != 0 {
        let (next, len) = (word(block)?, word(block + 2)?);
        if block < least || len < 4 || block + len > page.len() {
            return None;
        }
        gaps.push((block + 4, block + len));
        (least, block) = (block + len, next);
    }
    Some(gaps)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A leaf with two rows of ten bytes, a free block between them, and rubbish wherever there is no row.
    fn leaf() -> Vec<u8> {
        let mut page = vec![0xee; 512];
        page[..8].copy_from_slice(&[13, 0x01, 0xc8, 0, 2, 0x01, 0xbe, 0]);
        page[8..12].copy_from_slice(&[0x01, 0xbe, 0x01, 0xe0]);
        // From 446 on a row, from 456 on a free block of 24 bytes, from 480 on a row.
        page[446..456].fill(1);
        page[456..460].copy_from_slice(&[0, 0, 0, 24]);
        page[480..490].fill(2);
        page
    }

    #[test]
    fn what_no_row_uses_is_cleared_and_nothing_else() {
        let mut page = leaf();
        clear_gaps(&mut page, false);

        let expected = leaf();
        assert_eq!(page[..12], expected[..12]);
        assert!(page[12..446].iter().all(|byte| *byte == 0));
        assert_eq!(page[446..460], expected[446..460]);
        assert!(page[460..480].iter().all(|byte| *byte == 0));
        assert_eq!(page[480..], expected[480..]);
    }

    #[test]
    fn a_page_of_another_kind_or_make_stays_as_it_is() {
        type Break = fn(&mut [u8]);
        let breaks: [Break; 5] = [
            |page| page[0] = 0,
            |page| page[3] = 0xff,
            |page| page[5..7].copy_from_slice(&[0x7f, 0xff]),
            |page| page[458..460].copy_from_slice(&[0xff, 0xff]),
            |page| page[456..458].copy_from_slice(&[0x01, 0xc8]),
        ];
        for change in breaks {
            let mut page = leaf();
            change(&mut page);
            let before = page.clone();
            clear_gaps(&mut page, false);
            assert_eq!(page, before);
        }
        clear_gaps(&mut [], true);
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let mut page = leaf();
        seal(&mut page);
        assert!(is_sound(&page));
        for bit in 0..page.len() * 8 {
            page[bit / 8] ^= 1 << (bit % 8);
            assert!(!is_sound(&page), "{bit}");
            page[bit / 8] ^= 1 << (bit % 8);
        }
        assert!(is_sound(&[0; 512]), "a page that was never written");
    }
}
