//! The sale as a table.

use std::fmt::Write as _;

use simulator::sale::{Course, QuotaUse, Settings, Size, Told, Trouble, Wait, Way};

use plan::print::grouped;

/// What is played.
pub(super) fn headline(settings: &Settings) -> String {
    let parts = u64::from(settings.scale.parts());
    let scale = if parts == 1 { "the whole sale".to_owned() } else { format!("one to {parts}") };
    let trouble = match settings.trouble {
        it if it == Trouble::NONE => "answers".to_owned(),
        Trouble { stray, .. } if stray > 0.0 => format!("answers 429 to {} % of the calls", 100.0 * stray),
        Trouble { from_ms, until_ms, limit, .. } if limit < 1.0 => {
            format!("takes {:.0} % of that from {} s to {} s", 100.0 * limit, from_ms / 1_000, until_ms / 1_000)
        }
        Trouble { from_ms, until_ms, share, .. } => {
            format!("fails {:.0} % of the calls from {} s to {} s", 100.0 * share, from_ms / 1_000, until_ms / 1_000)
        }
    };
    let quota = settings.quota_per_second.map_or_else(String::new, |per_second| {
        format!(", {} of them the whale's from a deployment of its own,", grouped(u64::from(per_second)))
    });
    format!(
        "A sale of {} s at {} payments a second against a provider that takes {} a second{quota} and {trouble}; {scale}: {} and \
         {}. Seed {}, {} + {} environments, batches of {}.\n",
        settings.sale_ms / 1_000,
        grouped(settings.arrivals_per_second),
        grouped(u64::from(settings.rate_per_second)),
        grouped(settings.payments() * 1_000 / settings.sale_ms),
        grouped(u64::from(settings.rate())),
        settings.seed,
        settings.high,
        settings.standard,
        settings.scale.of(settings.batch),
    )
}

/// The figures, a column for each way.
pub(super) fn table(courses: &[Course]) -> String {
    let mut text = String::new();
    let mut row = |name: &str, cell: &dyn Fn(&Course) -> String| {
        let _ = write!(text, "{name:<38}");
        for course in courses {
            let _ = write!(text, "{:>20}", cell(course));
        }
        text.push('\n');
    };
    let count = |number: u64| grouped(number);
    row("", &|it| it.way.name());
    row("payments", &|it| count(it.payments));
    row("succeeded", &|it| percent(it.success()));
    row("told that they failed, or nothing", &|it| count(it.failed));
    row("in front of a person", &|it| count(it.parked));
    row("false dead letters", &|it| if it.way == Way::Direct { "-".to_owned() } else { count(it.dead_letters) });
    row("  of payments never charged", &|it| {
        if it.way == Way::Direct { "-".to_owned() } else { count(it.dead_uncharged) }
    });
    row("charged more than once", &|it| count(it.double_charged));
    row("charged, and nobody was told", &|it| count(it.charged_unknown));
    row("attempts", &|it| count(it.attempts));
    row("calls", &|it| count(it.calls));
    row("  answered 429", &|it| count(it.refused));
    row("most calls in any second", &|it| count(it.most_in_a_second));
    row("  of the provider's rate", &|it| percent(ratio(it.most_in_a_second, it.rate)));
    if courses.iter().any(|course| course.most_while_less > 0) {
        row("  two seconds after it took less", &|it| count(it.most_while_less));
    }
    row("last call after the sale's end, s", &|it| count(it.drain_ms / 1_000));
    row("  over the ideal", &|it| format!("{:.4}", it.drain_over_ideal()));
    row("rate used while anything waited", &|it| percent(it.share_used_in_all));
    row("  once the mappings had grown", &|it| percent(it.share_used));
    let window_ms = courses.first().map_or(0, |course| course.window_ms);
    row(&format!("variation of calls per {} ms", grouped(window_ms)), &|it| format!("{:.4}", it.variation));
    row("waits in seconds, p50 / p99:", &|_| String::new());
    row("  high lane", &|it| waited(&it.high));
    row("  standard lane", &|it| waited(&it.standard));
    for size in [Size::Whale, Size::Large, Size::Small] {
        row(&format!("  {} merchants", size.as_str()), &|it| waited(&it.waits_of(size).all));
    }
    row("  p99 of the worst small merchant", &|it| seconds(it.waits_of(Size::Small).worst_p99_ms));
    row("told a wait that came true:", &|_| String::new());
    row("  high lane", &|it| told(it.told_high));
    for size in [Size::Whale, Size::Large, Size::Small] {
        row(&format!("  {} merchants, standard lane", size.as_str()), &|it| told(it.waits_of(size).told_standard));
    }
    row("    of the small, sooner than told", &|it| {
        let Told { payments, sooner, .. } = it.waits_of(Size::Small).told_standard;
        if payments == 0 { "-".to_owned() } else { percent(ratio(sooner, payments)) }
    });
    row("most of one queue in flight", &|it| match it.way {
        Way::Ours => count(u64::try_from(it.most_in_flight).unwrap_or(u64::MAX)),
        Way::Direct | Way::Recipe { .. } => "-".to_owned(),
    });
    if courses.iter().any(|course| course.quota.is_some()) {
        let quota = |of: fn(&QuotaUse) -> String| move |it: &Course| it.quota.as_ref().map_or("-".to_owned(), of);
        row("the whale's own calls a second", &quota(|it| grouped(it.per_second)));
        row("  its most in any second", &quota(|it| grouped(it.most_in_a_second)));
        row("  used from its first to its last", &quota(|it| percent(it.share_used())));
    }
    row("updates of the gate a second", &|it| match it.way {
        Way::Ours => format!("{:.1}", ratio(it.gate_updates * 1_000, it.steady_ms.1.max(1))),
        Way::Direct | Way::Recipe { .. } => "-".to_owned(),
    });
    row("  reads of it", &|it| match it.way {
        Way::Ours => format!("{:.1}", ratio(it.gate_reads * 1_000, it.steady_ms.1.max(1))),
        Way::Direct | Way::Recipe { .. } => "-".to_owned(),
    });
    text
}

/// What was reached, in one line.
pub(super) fn reached(settings: &Settings, course: &Course) -> String {
    let success = format!("{} succeeded, none charged twice, none dead-lettered", percent(course.success()));
    let most = format!("at most {} of {} calls in any second", course.most_in_a_second, course.rate);
    if let Some(quota) = &course.quota {
        let QuotaUse { most_in_a_second, per_second, .. } = quota;
        let whale =
            format!("the whale's at most {most_in_a_second} of {per_second}, {} used", percent(quota.share_used()));
        return format!("{success}; {most}; {whale}");
    }
    if !settings.trouble.takes_its_rate() {
        return format!("{success}; {most}");
    }
    format!(
        "{success}; {most}; drained in {:.4} of the ideal, {} of the rate used, variation {:.4}, a small merchant's p99 {} s",
        course.drain_over_ideal(),
        percent(course.share_used),
        course.variation,
        seconds(course.waits_of(Size::Small).worst_p99_ms),
    )
}

/// The most memory that this process had, where the system says so.
pub(super) fn memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let most = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = most.and_then(|text| text.trim().trim_end_matches("kB").trim().parse::<u64>().ok());
    kilobytes.map_or_else(String::new, |kilobytes| format!(", {} MB of memory", grouped(kilobytes / 1_024)))
}

/// The share of the told waits that came true, within 20 % or 10 s.
fn told(told: Told) -> String {
    if told.payments == 0 { "-".to_owned() } else { percent(ratio(told.right, told.payments)) }
}

fn waited(wait: &Wait) -> String {
    if wait.payments == 0 { "-".to_owned() } else { format!("{} / {}", seconds(wait.p50_ms), seconds(wait.p99_ms)) }
}

fn seconds(ms: u64) -> String {
    format!("{:.1}", ratio(ms, 1_000))
}

fn percent(share: f64) -> String {
    format!("{:.2} %", 100.0 * share)
}

#[expect(clippy::cast_precision_loss, reason = "counts and milliseconds are far below 2^52")]
pub(super) fn ratio(number: u64, of: u64) -> f64 {
    number as f64 / of as f64
}
