//! Blocks as grids of coloured cells.
use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::html::{Esc, grouped, power, short};
use crate::failure::number;
use crate::record::{Block, Counts, Map, Shown};

/// Shades on either side of the tolerance.
const SHADES: usize = 6;
/// A difference that is shown as none, in powers of ten.
const LEAST: f64 = -16.0;
/// Cells on a page that tell their numbers when pointed at.
const TOLD: usize = 1_000;
/// Cells in one block up to which wrong ones are crossed.
const CROSSED: usize = 400;
/// Wrong cells of a larger block up to which each has a ring around it.
const RINGED: usize = 12;
/// Length of a block's longer side, and of one cell, in pixels.
const SIDE: usize = 320;
const CELL: (usize, usize) = (4, 24);
/// Width of a column of maps, in pixels.
const COLUMN: (usize, usize) = (180, 330);

/// The class, and so the colour, of a cell.
fn class(letter: char, difference: f64, tolerance: f64) -> (char, usize) {
    let limit = tolerance.log10().clamp(LEAST + 1.0, -0.1);
    let shade = |part: f64| ((part * SHADES as f64) as usize).min(SHADES - 1);
    let size = difference.log10();
    match letter {
        'a' => ('a', shade((size - LEAST) / (limit - LEAST))),
        'w' if difference.is_nan() => ('w', SHADES - 1),
        'w' => ('w', shade((limit - size) / limit)),
        'k' | 'u' => (letter, 0),
        _ => ('n', 0),
    }
}

fn class_name((letter, shade): (char, usize)) -> String {
    if matches!(letter, 'a' | 'w') { format!("{letter}{shade}") } else { letter.to_string() }
}

/// Fills that are used by all maps of a page.
pub(super) const FILLS: &str = "<svg width=\"0\" height=\"0\" style=\"position:absolute\" \
    aria-hidden=\"true\"><defs><pattern id=\"kink\" width=\".34\" height=\".34\" \
    patternUnits=\"userSpaceOnUse\" patternTransform=\"rotate(45)\"><rect class=\"kink-back\" \
    width=\".34\" height=\".34\"/><path class=\"kink-line\" d=\"M.17 0v.34\"/></pattern><pattern \
    id=\"open\" width=\".34\" height=\".34\" patternUnits=\"userSpaceOnUse\"><rect \
    class=\"open-back\" width=\".34\" height=\".34\"/><circle class=\"open-dot\" cx=\".17\" \
    cy=\".17\" r=\".07\"/></pattern></defs></svg>\n";

/// All maps of a state, with their key.
pub(super) fn maps(shown: &Shown) -> String {
    let mut told = 0;
    let widest = shown.blocks.iter().flat_map(|b| &b.map).map(|map| map.columns * cell(map)).max();
    // In columns, so that a tall map leaves no hole beside it.
    let mut out = format!(
        "<div class=\"maps\" style=\"column-width:{}px\">\n",
        widest.unwrap_or(0).clamp(COLUMN.0, COLUMN.1)
    );
    let mut blocks: Vec<&Block> = shown.blocks.iter().collect();
    if blocks.iter().any(|block| block.map.is_none()) {
        let off = |b: &Block| if b.difference.is_nan() { f64::INFINITY } else { b.difference };
        blocks.sort_by(|a, b| {
            let wrong = (b.counts.wrong > 0).cmp(&(a.counts.wrong > 0));
            wrong.then(off(b).total_cmp(&off(a)))
        });
    }
    for block in blocks {
        let Some(map) = &block.map else { continue };
        let cells = map.rows * map.columns;
        let tells = block.values.is_some() && map.each == [1, 1] && told + cells <= TOLD;
        told += if tells { cells } else { 0 };
        let _ = writeln!(
            out,
            "<div class=\"map\">{}<div class=\"name\">{}</div>{}</div>",
            drawing(block, map, tells),
            Esc(&block.name),
            caption(block, map),
        );
    }
    out.push_str("</div>\n");
    out + &key(shown)
}

/// Side of a cell, in pixels.
fn cell(map: &Map) -> usize {
    (SIDE / map.rows.max(map.columns).max(1)).clamp(CELL.0, CELL.1)
}

fn drawing(block: &Block, map: &Map, tells: bool) -> String {
    let (rows, columns) = (map.rows, map.columns);
    let size = cell(map);
    let mut out = format!(
        "<svg viewBox=\"0 0 {columns} {rows}\" width=\"{}\" height=\"{}\" role=\"img\" \
         aria-label=\"{}\">",
        columns * size,
        rows * size,
        Esc(&format!("relative differences of {}", block.name)),
    );
    let cells: Vec<(char, usize)> = (map.verdict.chars().zip(&map.difference))
        .take(rows * columns)
        .map(|(letter, &difference)| class(letter, difference, block.tolerance))
        .collect();
    if tells {
        for (k, &cell) in cells.iter().enumerate() {
            if k < block.components {
                let (x, y) = (k % columns, k / columns);
                let _ = write!(
                    out,
                    "<rect class=\"{}\" x=\"{x}.03\" y=\"{y}.03\" width=\".94\" height=\".94\" \
                     rx=\".1\"><title>{}</title></rect>",
                    class_name(cell),
                    Esc(&told(block, map, k)),
                );
            }
        }
    } else {
        out.push_str(&runs(&cells, columns));
    }
    let wrong: Vec<usize> = (0..cells.len()).filter(|&k| cells[k].0 == 'w').collect();
    if rows * columns <= CROSSED && !wrong.is_empty() {
        let cross =
            |k: &usize| format!("M{}.32 {}.32l.36 .36m0-.36l-.36 .36", k % columns, k / columns);
        let crosses: String = wrong.iter().map(cross).collect();
        let _ = write!(out, "<path class=\"cross\" d=\"{crosses}\"/>");
    } else if wrong.len() <= RINGED {
        for k in wrong {
            let (x, y) = (k % columns, k / columns);
            let _ = write!(out, "<circle class=\"ring\" cx=\"{x}.5\" cy=\"{y}.5\" r=\"2\"/>");
        }
    }
    out + "</svg>"
}

/// Cells of one colour as one path, neighbours in a row as one piece.
fn runs(cells: &[(char, usize)], columns: usize) -> String {
    let mut paths: BTreeMap<(char, usize), String> = BTreeMap::new();
    for (y, row) in cells.chunks(columns.max(1)).enumerate() {
        let mut x = 0;
        for run in row.chunk_by(|a, b| a == b) {
            let path = paths.entry(run[0]).or_default();
            let _ = write!(path, "M{x} {y}h{n}v1h-{n}z", n = run.len());
            x += run.len();
        }
    }
    paths.into_iter().fold(String::new(), |mut out, (cell, path)| {
        let _ = write!(
            out,
            "<path shape-rendering=\"crispEdges\" class=\"{}\" d=\"{path}\"/>",
            class_name(cell)
        );
        out
    })
}

/// What a cell says when it is pointed at.
fn told(block: &Block, map: &Map, k: usize) -> String {
    let mut index = Vec::new();
    let mut rest = k;
    for extent in block.shape.iter().rev() {
        index.push((rest % extent.max(&1)).to_string());
        rest /= extent.max(&1);
    }
    index.reverse();
    let index = if index.is_empty() { String::new() } else { format!("[{}]", index.join(", ")) };
    let value = |values: &[f64]| values.get(k).map_or_else(|| "?".to_owned(), |&x| number(x));
    let verdict = match map.verdict.chars().nth(k) {
        Some('a') => "agrees",
        Some('k') => "kink",
        Some('u') => "undecided",
        Some('w') => "wrong",
        _ => "not measured by itself",
    };
    let (analytic, numeric) = match &block.values {
        Some(values) => (value(&values.analytic), value(&values.numeric)),
        None => (String::new(), String::new()),
    };
    let off = map.difference.get(k).map_or_else(String::new, |&off| short(off));
    format!(
        "{}{index}: {verdict}\nanalytic {analytic}\nnumeric {numeric}\ndifference {off}",
        block.name
    )
}

/// Components by verdict in words, those that there are.
pub(super) fn counted(counts: &Counts) -> String {
    let Counts { agrees, kink, undecided, wrong } = *counts;
    let parts = [(agrees, "agree"), (kink, "kink"), (undecided, "undecided")];
    let mut words: Vec<String> = (parts.iter().filter(|(n, _)| *n > 0))
        .map(|(n, word)| format!("{} {word}", grouped(*n)))
        .collect();
    if wrong > 0 {
        words.insert(0, format!("<b>{} wrong</b>", grouped(wrong)));
    }
    words.join(" \u{b7} ")
}

fn caption(block: &Block, map: &Map) -> String {
    let shape: Vec<String> = block.shape.iter().map(|&extent| grouped(extent)).collect();
    let shape = match shape.is_empty() {
        true => "a scalar".to_owned(),
        false if shape.len() == 1 => format!("{} long", shape[0]),
        false => shape.join(" \u{d7} "),
    };
    let mut lines = vec![
        format!("{shape} \u{b7} difference {}", short(block.difference)),
        counted(&block.counts),
    ];
    if block.shape.len() == 1 && map.rows > 1 {
        let wrap = map.columns * map.each[1];
        lines.push(format!("a sequence, {} to a row", grouped(wrap)));
    }
    if block.shape.len() > 2 {
        lines.push("rows are the first axis, columns all others".to_owned());
    }
    if map.each != [1, 1] {
        let [down, across] = map.each;
        lines.push(format!("each cell is the worst of {down} \u{d7} {across} components"));
    }
    lines.iter().map(|line| format!("<div class=\"line\">{line}</div>")).collect()
}

/// What the colours mean, as far as they occur.
fn key(shown: &Shown) -> String {
    let occurs = |letter: char| {
        shown.blocks.iter().flat_map(|b| &b.map).any(|map| map.verdict.contains(letter))
    };
    let tolerance = shown.blocks.iter().map(|b| b.tolerance).fold(f64::NAN, f64::min);
    let mut out = String::from("<ul class=\"keys\">");
    let ramp = |out: &mut String, letter: char, text: &str| {
        let mut bar = String::new();
        for shade in 0..SHADES {
            let _ = write!(
                bar,
                "<rect class=\"{letter}{shade}\" x=\"{shade}\" width=\"1.02\" height=\"1\"/>"
            );
        }
        if letter == 'w' {
            bar.push_str("<path class=\"cross\" d=\"M2.32 .32l.36 .36m0-.36l-.36 .36\"/>");
        }
        let _ = write!(
            out,
            "<li><svg width=\"90\" height=\"15\" viewBox=\"0 0 6 1\" aria-hidden=\"true\">{bar}\
             </svg>{text}</li>"
        );
    };
    if occurs('a') {
        let text = format!("agrees: {} to {}", power(LEAST as i32), short(tolerance));
        ramp(&mut out, 'a', &text);
    }
    if occurs('w') {
        ramp(&mut out, 'w', &format!("wrong: {} to 1", short(tolerance)));
    }
    for (letter, text) in [
        ('k', "on a kink: no derivative to compare with"),
        ('u', "undecided: rounding hides the answer"),
        ('n', "not measured by itself, but in the slopes below"),
    ] {
        if occurs(letter) {
            let _ = write!(
                out,
                "<li><svg width=\"15\" height=\"15\" viewBox=\"0 0 1 1\" aria-hidden=\"true\">\
                 <rect class=\"{letter}\" width=\"1\" height=\"1\"/></svg>{text}</li>"
            );
        }
    }
    out + "</ul>\n"
}

/// Every block as one cell, where there are too many for a map each.
pub(super) fn overview(shown: &Shown) -> String {
    const ACROSS: usize = 64;
    const MOST: usize = 2_048;
    let each = shown.blocks.len().div_ceil(MOST).max(1);
    let cells: Vec<(char, usize)> = (shown.blocks.chunks(each))
        .map(|blocks| {
            let classes = blocks.iter().map(|block| {
                let Counts { agrees, kink, undecided, wrong } = block.counts;
                let letter = match () {
                    () if wrong > 0 => 'w',
                    () if kink > agrees + undecided => 'k',
                    () if undecided > agrees => 'u',
                    () if agrees > 0 => 'a',
                    () => 'n',
                };
                class(letter, block.difference, block.tolerance)
            });
            let rank = |c: &(char, usize)| {
                (["n", "a", "u", "k", "w"].iter().position(|l| l.starts_with(c.0)), c.1)
            };
            classes.max_by_key(rank).unwrap_or(('n', 0))
        })
        .collect();
    let (columns, rows) = (ACROSS.min(cells.len()).max(1), cells.len().div_ceil(ACROSS));
    let worst = match each {
        1 => String::new(),
        _ => format!("; each cell is the worst of {each}"),
    };
    format!(
        "<h3>All {} blocks, one cell each, in the order of the parameters{worst}</h3>\
         <div class=\"map\"><svg viewBox=\"0 0 {columns} {rows}\" width=\"{}\" height=\"{}\" \
         role=\"img\" aria-label=\"all blocks\">{}</svg></div>\n",
        grouped(shown.blocks.len()),
        columns * 10,
        rows * 10,
        runs(&cells, columns),
    )
}
