use simulator::*;
fn main() {
    let n: u64 = std::env::args().nth(1).and_then(|a| a.parse().ok()).unwrap_or(20);
    let mut inj = 0; let mut vms = 0; let t = std::time::Instant::now();
    for (name, f) in [("none", Faults::none()), ("bad", Faults::bad_provider()), ("all", Faults::everything())] {
        for seed in 0..n {
            let r = run(&Settings::new(seed, f.clone()));
            inj += r.injected; vms += r.virtual_ms;
            if !r.held() { println!("{name}\n{r}"); return; }
            if seed < 3 { println!("{name} {seed} {:?} effects {} calls {} ios {} crashes {} inj {} {} s refused {}", r.states, r.effects, r.calls, r.ios, r.crashes, r.injected, r.virtual_ms/1000, r.refused); }
        }
    }
    println!("{inj} faults {} virtual hours in {:?}", vms/3600000, t.elapsed());
    if std::env::args().nth(2).is_some() {
    let t = std::time::Instant::now();
    match sweep(&Settings::new(1, Faults::bad_provider())) { Ok(n) => println!("sweep {n} {:?}", t.elapsed()), Err(r) => println!("{r}") }
    }
}
