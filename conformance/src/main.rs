fn main() {
    let dir = std::path::Path::new(grove_conformance::suite::store::DEFAULT_DIR);
    println!("{:?}", grove_conformance::generate::write(dir));
    for line in grove_conformance::suite::lint::lint(dir).unwrap() {
        println!("{line}");
    }
}
