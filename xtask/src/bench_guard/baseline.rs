//! The figures that are taken in, and how new ones compare.
//!
//! A line a path: its name, instructions of an operation, and by how many percent more it may take. The first line names
//! the compiler, which has its own say in the figures.

use std::fmt;

use anyhow::{Context, Result, ensure};

const HEAD: &str = "# path\tinstructions\ttolerance_percent";
const COMPILER: &str = "# ";

/// Of a path that is new.
const TOLERANCE_PERCENT: u64 = 3;

/// Instructions of one operation.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Figure {
    pub(super) path: String,
    pub(super) instructions: u64,
}

#[derive(Clone, Debug, PartialEq)]
struct Line {
    figure: Figure,
    tolerance_percent: u64,
}

#[derive(Debug, PartialEq)]
pub(super) struct Baseline {
    pub(super) compiler: String,
    lines: Vec<Line>,
}

/// What came of a comparison.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Verdict {
    /// A line for each path.
    pub(super) told: Vec<String>,
    /// What must not be.
    pub(super) problems: Vec<String>,
}

impl Baseline {
    pub(super) fn parse(text: &str) -> Result<Self> {
        let compiler = text
            .lines()
            .next()
            .and_then(|line| line.strip_prefix(COMPILER));
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        Ok(Self {
            compiler: compiler.unwrap_or_default().to_owned(),
            lines: lines.map(Line::parse).collect::<Result<_>>()?,
        })
    }

    /// Each path that either side has. One that only the measurement has needs a figure, one that only the baseline has
    /// is no longer guarded.
    pub(super) fn compare(&self, measured: &[Figure]) -> Verdict {
        let mut verdict = Verdict::default();
        for figure in measured {
            let (told, is_fine) = match self.line(&figure.path) {
                Some(line) => line.judge(figure.instructions),
                None => (
                    format!(
                        "{}: {}, without a baseline",
                        figure.path, figure.instructions
                    ),
                    false,
                ),
            };
            if !is_fine {
                verdict.problems.push(told.clone());
            }
            verdict.told.push(told);
        }
        for line in &self.lines {
            if !measured
                .iter()
                .any(|figure| figure.path == line.figure.path)
            {
                let problem = format!("{}: in the baseline, and not measured", line.figure.path);
                verdict.problems.push(problem);
            }
        }
        verdict
    }

    /// What was measured, with the tolerances that the paths have.
    pub(super) fn updated(&self, measured: &[Figure], compiler: &str) -> Self {
        let lines = measured.iter().map(|figure| Line {
            figure: figure.clone(),
            tolerance_percent: self
                .line(&figure.path)
                .map_or(TOLERANCE_PERCENT, |line| line.tolerance_percent),
        });
        Self {
            compiler: compiler.to_owned(),
            lines: lines.collect(),
        }
    }

    fn line(&self, path: &str) -> Option<&Line> {
        self.lines.iter().find(|line| line.figure.path == path)
    }
}

impl Line {
    fn parse(line: &str) -> Result<Self> {
        let mut cells = line.split('\t');
        let mut next = || {
            cells
                .next()
                .with_context(|| format!("{line}: not three cells"))
        };
        let path = next()?.to_owned();
        let mut number = || -> Result<u64> { next()?.parse().with_context(|| line.to_owned()) };
        let instructions = number()?;
        let tolerance_percent = number()?;
        ensure!(instructions > 0, "{line}: no instructions");
        Ok(Self {
            figure: Figure { path, instructions },
            tolerance_percent,
        })
    }

    /// A line about it, and whether it may be so.
    fn judge(&self, after: u64) -> (String, bool) {
        let before = self.figure.instructions;
        let tolerance = self.tolerance_percent;
        let is_fine = after * 100 <= before * (100 + tolerance);
        let is_better = after * (100 + tolerance) < before * 100;
        #[expect(clippy::cast_precision_loss, reason = "shown with one digit")]
        let percent = (after as f64 / before as f64 - 1.0) * 100.0;
        let remark = match (is_fine, is_better) {
            (false, _) => ": TOO MUCH",
            (true, true) => ": better, which `--update` would keep",
            (true, false) => "",
        };
        let path = &self.figure.path;
        let told = format!(
            "{path}: {before} before, {after} now, {percent:+.1} % (may be +{tolerance} %){remark}"
        );
        (told, is_fine)
    }
}

impl fmt::Display for Baseline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{COMPILER}{}", self.compiler)?;
        writeln!(f, "{HEAD}")?;
        for line in &self.lines {
            let Figure { path, instructions } = &line.figure;
            writeln!(f, "{path}\t{instructions}\t{}", line.tolerance_percent)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
# rustc 1.95.0 (of then)
# path\tinstructions\ttolerance_percent
produce a record\t10000\t3
fetch\t200\t10
";

    fn figure(path: &str, instructions: u64) -> Figure {
        Figure {
            path: path.to_owned(),
            instructions,
        }
    }

    fn compare(produce: u64, fetch: u64) -> Verdict {
        let baseline = Baseline::parse(TEXT).unwrap();
        baseline.compare(&[figure("produce a record", produce), figure("fetch", fetch)])
    }

    #[test]
    fn within_its_tolerance_a_path_may_take_more() {
        let verdict = compare(10_300, 220);
        assert_eq!(verdict.problems, Vec::<String>::new());
        assert_eq!(
            verdict.told,
            [
                "produce a record: 10000 before, 10300 now, +3.0 % (may be +3 %)",
                "fetch: 200 before, 220 now, +10.0 % (may be +10 %)",
            ]
        );
    }

    #[test]
    fn one_instruction_beyond_it_is_a_problem_that_says_before_after_and_percent() {
        let verdict = compare(10_301, 200);
        assert_eq!(
            verdict.problems,
            ["produce a record: 10000 before, 10301 now, +3.0 % (may be +3 %): TOO MUCH"]
        );
        assert_eq!(verdict.told.len(), 2);
    }

    #[test]
    fn what_has_become_cheaper_is_told_and_no_problem() {
        let verdict = compare(5000, 199);
        assert_eq!(verdict.problems, Vec::<String>::new());
        assert_eq!(
            verdict.told,
            [
                "produce a record: 10000 before, 5000 now, -50.0 % (may be +3 %): better, which `--update` would keep",
                "fetch: 200 before, 199 now, -0.5 % (may be +10 %)",
            ]
        );
    }

    #[test]
    fn a_path_that_only_one_side_has_is_a_problem() {
        let baseline = Baseline::parse(TEXT).unwrap();
        let verdict = baseline.compare(&[figure("fetch", 200), figure("commit", 1)]);
        assert_eq!(
            verdict.problems,
            [
                "commit: 1, without a baseline",
                "produce a record: in the baseline, and not measured",
            ]
        );
    }

    #[test]
    fn an_update_keeps_tolerances_and_drops_what_is_gone() {
        let baseline = Baseline::parse(TEXT).unwrap();
        let measured = [figure("commit", 7), figure("fetch", 300)];
        let updated = baseline.updated(&measured, "rustc 2");
        assert_eq!(
            updated.to_string(),
            "# rustc 2\n# path\tinstructions\ttolerance_percent\ncommit\t7\t3\nfetch\t300\t10\n"
        );
        assert_eq!(Baseline::parse(&updated.to_string()).unwrap(), updated);
    }

    #[test]
    fn a_line_that_is_not_one_is_named() {
        for text in ["fetch\t200\n", "fetch\tmany\t3\n", "fetch\t0\t3\n"] {
            let error = Baseline::parse(text).unwrap_err();
            assert!(format!("{error:#}").contains(text.trim()), "{error:#}");
        }
    }
}
