//! A command line as bash hands it over: words, and where bash would split them further.

/// The words of a line, quotes taken off; the last one is empty behind a space.
pub(super) fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quote = None;
    let mut is_begun = false;
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        let is_space = quote.is_none() && c.is_whitespace();
        if is_space && !is_begun {
            continue;
        }
        if is_space {
            words.push(String::new());
            is_begun = false;
            continue;
        }
        is_begun = true;
        match (c, quote) {
            ('\'' | '"', None) => quote = Some(c),
            (_, Some(open)) if open == c => quote = None,
            ('\\', None | Some('"')) => words.last_mut().expect("one").extend(chars.next()),
            _ => words.last_mut().expect("one").push(c),
        }
    }
    words
}

/// How many bytes of the word stand before what bash replaces: it begins anew behind `:` and `=`.
pub(super) fn before(word: &str, current: &str) -> usize {
    let current = current.trim_start_matches([':', '=']);
    match word.ends_with(current) {
        true => word.len() - current.len(),
        false => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_the_shell() {
        assert_eq!(words("ottla topics "), ["ottla", "topics", ""]);
        assert_eq!(words("ottla  topics --to"), ["ottla", "topics", "--to"]);
        assert_eq!(
            words(r#"a 'b c' "d \" e" f\ g"#),
            ["a", "b c", "d \" e", "f g"]
        );
        assert_eq!(words("a 'b c"), ["a", "b c"]);
        assert_eq!(words(""), [""]);
    }

    #[test]
    fn bash_replaces_what_stands_behind_its_separators() {
        assert_eq!(before("localhost:90", "90"), 10);
        assert_eq!(before("--topic=or", "or"), 8);
        assert_eq!(before("--topic=", "="), 8);
        assert_eq!(before("--to", "--to"), 0);
        assert_eq!(before("x", "other"), 0);
    }
}
