//! Writes the mutants of one file into it.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::error::Error;
use std::ops::Range;

use syn::Expr;

use crate::Mutant;
use crate::lines::Lines;
use crate::units::{self, Kind, Unit};

#[derive(Default)]
pub(crate) struct Woven {
    pub(crate) text: String,
    /// The bytes of each mutant's own text, and its number.
    pub(crate) written: Vec<(usize, usize, usize)>,
    pub(crate) broken: Vec<usize>,
    pub(crate) alone: Vec<usize>,
}

/// What is to stand instead of an expression, or before the statements of a body.
struct Site {
    kind: Kind,
    choices: Vec<(usize, String)>,
}

/// By where they begin and end; an outer one comes before what is in it, and a body before its only expression.
type Sites = BTreeMap<(usize, Reverse<usize>, bool), Site>;

pub(crate) fn weave(text: &str, mutants: &[Mutant<'_>]) -> Result<Woven, Box<dyn Error>> {
    let units = units::of(text, &Lines::of(text))?;
    let mut woven = Woven::default();
    let mut sites = Sites::new();
    for mutant in mutants {
        let unit = unit_of(mutant, &units)?;
        if unit.kind == Kind::Chain {
            woven.broken.push(mutant.number);
            continue;
        }
        if unit.alone {
            woven.alone.push(mutant.number);
            continue;
        }
        let (range, choice) = if unit.kind == Kind::Body {
            (mutant.start..mutant.end, mutant.replacement.to_owned())
        } else {
            let before = &text[unit.range.start..mutant.start];
            let after = &text[mutant.end..unit.range.end];
            (
                unit.range.clone(),
                format!("{before}{}{after}", mutant.replacement),
            )
        };
        if syn::parse_str::<Expr>(&choice).is_err() {
            woven.broken.push(mutant.number);
            continue;
        }
        let key = (range.start, Reverse(range.end), unit.kind != Kind::Body);
        let site = sites.entry(key).or_insert(Site {
            kind: unit.kind,
            choices: Vec::new(),
        });
        site.choices.push((mutant.number, choice));
    }
    let sites: Vec<(Range<usize>, Site)> = sites
        .into_iter()
        .map(|((start, Reverse(end), _), site)| (start..end, site))
        .collect();
    write(text, 0..text.len(), &sites, &mut woven);
    Ok(woven)
}

/// The smallest expression that the mutant can be in.
fn unit_of<'a>(mutant: &Mutant<'_>, units: &'a [Unit]) -> Result<&'a Unit, String> {
    let kinds: &[Kind] = match mutant.genre {
        "FnValue" => &[Kind::Body],
        "BinaryOperator" => &[Kind::Operators, Kind::Chain],
        "UnaryOperator" => &[Kind::Unary],
        "MatchArm" => &[Kind::Match],
        "MatchArmGuard" => &[Kind::Guard],
        "StructField" => &[Kind::Struct],
        other => return Err(format!("mutants of the genre {other} are not known")),
    };
    units
        .iter()
        .filter(|unit| kinds.contains(&unit.kind))
        .filter(|unit| unit.range.start <= mutant.start && mutant.end <= unit.range.end)
        .min_by_key(|unit| unit.range.len())
        .ok_or_else(|| {
            format!(
                "nothing holds the {} at byte {}",
                mutant.genre, mutant.start
            )
        })
}

/// Writes a range of the file, whose sites these are.
fn write(text: &str, range: Range<usize>, sites: &[(Range<usize>, Site)], woven: &mut Woven) {
    let mut at = range.start;
    let mut rest = sites;
    while let Some(((here, site), others)) = rest.split_first() {
        woven.text.push_str(&text[at..here.start]);
        let inner = others.partition_point(|(other, _)| other.start < here.end);
        write_site(text, here, site, &others[..inner], woven);
        at = here.end;
        rest = &others[inner..];
    }
    woven.text.push_str(&text[at..range.end]);
}

fn write_site(
    text: &str,
    here: &Range<usize>,
    site: &Site,
    inner: &[(Range<usize>, Site)],
    woven: &mut Woven,
) {
    if site.kind == Kind::Body {
        for (number, choice) in &site.choices {
            woven
                .text
                .push_str(&format!("if crate::mutant::on({number}) {{ return "));
            write_choice(*number, choice, woven);
            woven.text.push_str("; } ");
        }
        write(text, here.clone(), inner, woven);
        return;
    }
    // Braces stand where a match does, without a semicolon, too. The unchanged text comes first, as the compiler
    // takes the first for what the others have to fit.
    let (open, close) = if site.kind == Kind::Match {
        ('{', '}')
    } else {
        ('(', ')')
    };
    let off: Vec<String> = site
        .choices
        .iter()
        .map(|(number, _)| format!("!crate::mutant::on({number})"))
        .collect();
    woven
        .text
        .push_str(&format!("{open}if {} {{ ", off.join(" && ")));
    write(text, here.clone(), inner, woven);
    for (at, (number, choice)) in site.choices.iter().enumerate() {
        if at + 1 < site.choices.len() {
            woven
                .text
                .push_str(&format!(" }} else if crate::mutant::on({number}) {{ "));
        } else {
            woven.text.push_str(" } else { ");
        }
        write_choice(*number, choice, woven);
    }
    woven.text.push_str(" }");
    woven.text.push(close);
}

fn write_choice(number: usize, choice: &str, woven: &mut Woven) {
    let start = woven.text.len();
    woven.text.push_str(choice);
    woven.written.push((start, woven.text.len(), number));
}
