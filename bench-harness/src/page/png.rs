//! Figures of a page as one PNG, for a README: the page's own SVG, in its light colours, drawn with the fonts of this host.

use std::fmt::Write;

use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{Options, Tree};

use super::STYLE;
use super::text::escape;

/// Pixels for each unit of the figures, which are 900 wide.
const SCALE: f32 = 2.0;

const WIDTH: f64 = 900.0;
const MARGIN: f64 = 24.0;
const TITLE_HEIGHT: f64 = 44.0;

/// Where the page's fonts are not, these are looked for, and then any.
const FAMILIES: [&str; 4] = ["DejaVu Sans", "Liberation Sans", "Noto Sans", "Arial"];

/// The figures (HTML with an SVG in each) below a title, as PNG.
///
/// # Errors
/// A sentence: there is no font, or nothing to draw.
pub(super) fn png(title: &str, figures: &[String]) -> Result<Vec<u8>, String> {
    let mut options = Options::default();
    options.fontdb_mut().load_system_fonts();
    let family = {
        let fonts = &options.fontdb;
        let names =
            |face: &resvg::usvg::fontdb::FaceInfo| face.families.first().map(|f| f.0.clone());
        let known: Vec<String> = fonts.faces().filter_map(names).collect();
        let is_known = |family: &&str| known.iter().any(|name| name == family);
        let family = FAMILIES.iter().find(|family| is_known(family)).map(|name| (*name).to_owned());
        family.or_else(|| known.into_iter().next()).ok_or_else(|| {
            "a PNG needs a font, and this host has none: on Debian `apt-get install fonts-dejavu-core`"
                .to_owned()
        })?
    };
    let svg = picture(title, figures, &family)?;
    let failed = |error: &dyn std::fmt::Display| format!("the PNG cannot be drawn: {error}");
    let tree = Tree::from_str(&svg, &options).map_err(|error| failed(&error))?;
    let size = tree.size();
    let pixels = |length: f32| (length * SCALE).ceil() as u32;
    let mut pixmap = Pixmap::new(pixels(size.width()), pixels(size.height()))
        .ok_or_else(|| failed(&"it has no size"))?;
    resvg::render(&tree, Transform::from_scale(SCALE, SCALE), &mut pixmap.as_mut());
    pixmap.encode_png().map_err(|error| failed(&error))
}

/// One SVG of all figures, one below the other, on white.
fn picture(title: &str, figures: &[String], family: &str) -> Result<String, String> {
    let mut inner = String::new();
    let mut y = MARGIN + TITLE_HEIGHT;
    for figure in figures.iter().filter_map(|figure| svg_of(figure)) {
        let height = height_of(figure)?;
        let placed =
            format!("<svg x=\"{MARGIN}\" y=\"{y:.0}\" width=\"{WIDTH}\" height=\"{height}\"");
        inner.push_str(&figure.replacen("<svg", &placed, 1));
        y += height + MARGIN;
    }
    if inner.is_empty() {
        return Err("there is nothing to draw: nothing was measured".into());
    }
    let (width, height) = (WIDTH + 2.0 * MARGIN, y);
    Ok(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\">\n\
         <style>{}text {{ font-family: '{family}'; font-size: 14px; }}\ntext.title {{ font-size: 16px; font-weight: bold; }}\n\
         text.tick {{ font-size: 13px; }}\ntext.head {{ font-size: 24px; font-weight: bold; }}\n</style>\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"{}\"/>\n<text class=\"head\" x=\"{MARGIN}\" y=\"{}\" fill=\"{}\">{}</text>\n{inner}</svg>",
        style(),
        color("--paper"),
        MARGIN + 22.0,
        color("--ink"),
        escape(title),
    ))
}

/// The SVG in a figure; none where it says in words that there is nothing.
fn svg_of(figure: &str) -> Option<&str> {
    let (from, to) = (figure.find("<svg")?, figure.find("</svg>")?);
    figure.get(from..to + "</svg>".len())
}

/// The height in `viewBox="0 0 WIDTH HEIGHT"`.
fn height_of(svg: &str) -> Result<f64, String> {
    let (_, rest) = svg.split_once("viewBox=\"").unwrap_or_default();
    let height =
        rest.split_once('"').and_then(|(numbers, _)| numbers.split(' ').nth(3)?.parse().ok());
    height.ok_or_else(|| "the PNG cannot be drawn: a figure has no height".to_owned())
}

/// The page's rules for figures, with the light colours in place of their names; fonts are this host's.
fn style() -> String {
    let is_figure = |line: &&str| {
        ["svg text", ".grid", ".line", ".dot", ".bar"].iter().any(|start| line.starts_with(start))
    };
    let mut css = String::new();
    for line in STYLE.lines().filter(is_figure) {
        let (selector, rules) = line.split_once('{').unwrap_or((line, ""));
        let rules =
            rules.trim_end_matches('}').split(';').filter(|rule| !rule.trim().starts_with("font"));
        let rules: Vec<String> = rules.map(with_colors).collect();
        let _ = writeln!(css, "{} {{ {} }}", selector.trim_start_matches("svg "), rules.join(";"));
    }
    css
}

/// `rule` with each `var(--NAME)` as its light colour.
fn with_colors(rule: &str) -> String {
    match rule.split_once("var(").and_then(|(head, rest)| Some((head, rest.split_once(')')?))) {
        Some((head, (name, tail))) => format!("{head}{}{tail}", color(name)),
        None => rule.to_owned(),
    }
}

/// A colour of the page by its name, as its first block says: the light one.
fn color(name: &str) -> &'static str {
    let value = STYLE.split_once(&format!("{name}: ")).and_then(|(_, rest)| rest.split_once(';'));
    value.expect("the style sheet has every colour that it uses").0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_those_of_a_light_page() {
        assert_eq!((color("--paper"), color("--ink")), ("#ffffff", "#1c2024"));
        let css = style();
        assert!(
            css.contains(".line-1") && css.contains("#c2410c") && !css.contains("var("),
            "{css}"
        );
        assert!(!css.contains("system-ui"), "fonts are those of the host: {css}");
    }

    #[test]
    fn figures_stand_below_each_other() {
        let figure = |height: u32| {
            format!(
                "<figure>\n<svg viewBox=\"0 0 900 {height}\"><rect class=\"bar-0\" width=\"9\" height=\"9\"/></svg>\n</figure>\n"
            )
        };
        let nothing = "<figure><figcaption>nothing was measured</figcaption></figure>".to_owned();
        let svg =
            picture("a & b", &[figure(300), nothing.clone(), figure(100)], "Sans").expect("two");
        assert!(
            svg.contains("y=\"68\" width=\"900\" height=\"300\"") && svg.contains("y=\"392\""),
            "{svg}"
        );
        assert!(svg.contains("height=\"516\"") && svg.contains("a &amp; b"));
        assert!(picture("t", &[nothing], "Sans").is_err());
        let png = png("a", &[figure(100)]).expect("a font, as on every host that shows text");
        assert!(png.starts_with(b"\x89PNG\r\n"), "a PNG");
        let drawn = Pixmap::decode_png(&png).expect("a PNG");
        assert_eq!((drawn.width(), drawn.height()), (1896, 384));
        let at = |x: f64, y: f64| drawn.pixel((x * 2.0) as u32, (y * 2.0) as u32).expect("inside");
        let (bar, paper) = (at(MARGIN + 4.0, MARGIN + TITLE_HEIGHT + 4.0), at(2.0, 2.0));
        assert_eq!((bar.red(), bar.green(), bar.blue()), (0x0b, 0x68, 0xc4));
        assert_eq!((paper.red(), paper.green(), paper.blue()), (255, 255, 255));
    }
}
