//! What somebody probably meant who wrote a name that there is not.

/// The known name that is nearest, if it is a slip of the pen away; of equally near ones the first in order.
pub fn meant<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let known = known.into_iter();
    let nearest = known.map(|known| (edits(name, known), known)).min()?;
    is_near(nearest.0, nearest.1).then_some(nearest.1)
}

/// Whether so many edits are a slip of the pen. Of a short name more than half has to be right.
fn is_near(edits: usize, name: &str) -> bool {
    edits <= 1 + name.len() / 4 && edits * 2 <= name.len()
}

/// The Levenshtein distance: how many letters to insert, remove or replace.
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (j, to) in b.iter().enumerate() {
            let above = row.get(j + 1).copied().unwrap_or(usize::MAX - 1);
            let here = (diagonal + usize::from(from != *to))
                .min(above + 1)
                .min(left + 1);
            diagonal = above;
            if let Some(cell) = row.get_mut(j) {
                *cell = left;
            }
            left = here;
        }
        if let Some(last) = row.last_mut() {
            *last = left;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_pen_is_seen_and_another_word_is_not() {
        let known = ["topics", "configs", "orders", "orders-eu"];
        assert_eq!(meant("tpics", known), Some("topics"));
        assert_eq!(meant("oders", known), Some("orders"));
        assert_eq!(meant("payments", known), None);
        assert_eq!(meant("x", ["y"]), None);
        assert_eq!(meant("any", []), None);
    }
}
