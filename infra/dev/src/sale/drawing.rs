//! The sale as an SVG: what came and what waited, calls against the limit, and waits by lane and merchant.

use plotters::coord::Shift;
use plotters::prelude::*;
use simulator::sale::{Course, Settings, Size, Wait};

use super::print::ratio;

/// Width and height of the drawing.
const PIXELS: (u32, u32) = (1_000, 1_080);
/// Points of a line at most: more than can be told apart.
const POINTS_MAX: usize = 500;
/// Calls above this many times the rate are cut off: what is called directly would hide all the rest.
const CUT_OFF: u64 = 5;
/// One for each way.
const COLOURS: [RGBColor; 4] =
    [RGBColor(0, 90, 181), RGBColor(220, 50, 32), RGBColor(230, 159, 0), RGBColor(120, 94, 240)];

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Draws it.
pub(super) fn svg(settings: &Settings, courses: &[Course]) -> Result<String, String> {
    let mut text = String::new();
    draw(settings, courses, &mut text).map_err(|error| format!("cannot draw the sale: {error}"))?;
    Ok(text)
}

fn draw(settings: &Settings, courses: &[Course], into: &mut String) -> Result<(), Box<dyn std::error::Error>> {
    let root = SVGBackend::with_string(into, PIXELS).into_drawing_area();
    root.fill(&WHITE)?;
    let panels = root.split_evenly((3, 1));
    let ours = courses.first().ok_or("no course was played")?;
    // A quarter more than ours takes; a recipe that takes hours goes on beyond the edge.
    let until_s = ratio(settings.sale_ms + ours.drain_ms, 800);
    queues(&panels[0], courses, until_s)?;
    calls(&panels[1], courses, until_s)?;
    waits(&panels[2], ours)?;
    root.present()?;
    Ok(())
}

fn queues(area: &Area<'_>, courses: &[Course], until_s: f64) -> Result<(), Box<dyn std::error::Error>> {
    let most = courses.iter().flat_map(|course| &course.samples.depth).copied().max().unwrap_or(1);
    let mut chart = ChartBuilder::on(area)
        .caption("Payments that came, and payments that wait or are under way", ("sans-serif", 18))
        .margin(12)
        .x_label_area_size(36)
        .y_label_area_size(80)
        .build_cartesian_2d(0.0..until_s, 0.0..1.1 * ratio(most, 1))?;
    chart
        .configure_mesh()
        .x_desc("seconds after the sale's begin")
        .y_desc("payments")
        .light_line_style(WHITE)
        .draw()?;
    for (course, colour) in courses.iter().zip(COLOURS) {
        let depth = points(&course.samples.depth, 1.0, until_s);
        chart
            .draw_series(LineSeries::new(depth, colour.stroke_width(2)))?
            .label(course.way.name())
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2)));
    }
    if let Some(ours) = courses.first() {
        let came = ours.samples.arrivals.iter().scan(0, |sum, came| {
            *sum += came;
            Some(*sum)
        });
        let came: Vec<u64> = came.collect();
        chart
            .draw_series(LineSeries::new(points(&came, 1.0, until_s), BLACK.stroke_width(1)))?
            .label("came so far")
            .legend(|(x, y)| PathElement::new([(x, y), (x + 18, y)], BLACK.stroke_width(1)));
    }
    chart.configure_series_labels().position(SeriesLabelPosition::UpperRight).border_style(BLACK.mix(0.3)).draw()?;
    Ok(())
}

fn calls(area: &Area<'_>, courses: &[Course], until_s: f64) -> Result<(), Box<dyn std::error::Error>> {
    let Some(ours) = courses.first() else { return Ok(()) };
    let limit = ours.rate * ours.window_ms / 1_000;
    let most = courses.iter().flat_map(|course| &course.calls_a_window).copied().max().unwrap_or(1);
    let top = most.max(limit).min(CUT_OFF * limit);
    let cut = if most > top { format!("; cut off, at most {most}") } else { String::new() };
    let caption = format!("Calls per {} ms against the provider's limit{cut}", ours.window_ms);
    let mut chart = ChartBuilder::on(area)
        .caption(caption, ("sans-serif", 18))
        .margin(12)
        .x_label_area_size(36)
        .y_label_area_size(80)
        .build_cartesian_2d(0.0..until_s, 0.0..1.1 * ratio(top, 1))?;
    chart.configure_mesh().x_desc("seconds after the sale's begin").y_desc("calls").light_line_style(WHITE).draw()?;
    // Ours last, on top of the others.
    for (course, colour) in courses.iter().zip(COLOURS).rev() {
        let calls: Vec<u64> = course.calls_a_window.iter().map(|calls| (*calls).min(top)).collect();
        let calls = points(&calls, ratio(course.window_ms, 1_000), until_s);
        chart
            .draw_series(LineSeries::new(calls, colour.stroke_width(2)))?
            .label(course.way.name())
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2)));
    }
    chart
        .draw_series(LineSeries::new([(0.0, ratio(limit, 1)), (until_s, ratio(limit, 1))], BLACK.stroke_width(1)))?
        .label("limit")
        .legend(|(x, y)| PathElement::new([(x, y), (x + 18, y)], BLACK.stroke_width(1)));
    chart.configure_series_labels().position(SeriesLabelPosition::UpperRight).border_style(BLACK.mix(0.3)).draw()?;
    Ok(())
}

fn waits(area: &Area<'_>, ours: &Course) -> Result<(), Box<dyn std::error::Error>> {
    let whose = |size| &ours.waits_of(size).all;
    let lines: [(&str, &Wait); 5] = [
        ("high lane", &ours.high),
        ("standard lane", &ours.standard),
        ("whale", whose(Size::Whale)),
        ("large merchants", whose(Size::Large)),
        ("small merchants", whose(Size::Small)),
    ];
    let longest_ms = lines.iter().flat_map(|(_, wait)| &wait.percentiles_ms).copied().max().unwrap_or(1);
    let mut chart = ChartBuilder::on(area)
        .caption("Waits through Sluice, from accepted to ended, by percentile", ("sans-serif", 18))
        .margin(12)
        .x_label_area_size(36)
        .y_label_area_size(80)
        .build_cartesian_2d(0.0..100.0, (0.1..1.5 * ratio(longest_ms, 1_000)).log_scale())?;
    chart
        .configure_mesh()
        .x_desc("percent of the payments")
        .y_desc("seconds at most")
        .light_line_style(WHITE)
        .draw()?;
    for (index, (name, wait)) in lines.into_iter().enumerate() {
        let colour = Palette99::pick(index).to_rgba();
        let line =
            (0..).zip(&wait.percentiles_ms).map(|(percent, ms)| (f64::from(percent), ratio((*ms).max(100), 1_000)));
        chart
            .draw_series(LineSeries::new(line, colour.stroke_width(2)))?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2)));
    }
    chart.configure_series_labels().position(SeriesLabelPosition::LowerRight).border_style(BLACK.mix(0.3)).draw()?;
    Ok(())
}

/// Values at equal distances of `step_s` as points of a line, each the largest of those that share it.
fn points(values: &[u64], step_s: f64, until_s: f64) -> Vec<(f64, f64)> {
    let at = |index: usize| ratio(u64::try_from(index).unwrap_or(u64::MAX), 1) * step_s;
    let seen = values.iter().enumerate().filter(|(index, _)| at(*index) <= until_s).count();
    let width = seen.div_ceil(POINTS_MAX).max(1);
    let largest = |chunk: &[u64]| ratio(chunk.iter().copied().max().unwrap_or(0), 1);
    values[..seen].chunks(width).enumerate().map(|(index, chunk)| (at(index * width), largest(chunk))).collect()
}
