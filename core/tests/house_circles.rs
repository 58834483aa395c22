//! No circles between rooms: of two modules in one folder, at most one uses the other, with all that is in them.
//!
//! Looks at the paths in the code, in `use` lines and elsewhere, and follows what a module hands on by `pub use` to
//! where it is made. A module and those within it are one room, so what they use of each other is no circle.
//! Tests inside of modules are left out; so are paths that macros make.

#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

const PACKAGES: [&str; 5] = ["core", "node", "client", "sim", "conformance"];

/// Names of modules from the root of a crate.
type Module = Vec<String>;

#[test]
fn no_two_rooms_use_each_other() {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut circles_found = Vec::new();
    for package in PACKAGES {
        let modules = read_crate(&workspace.join(package).join("src"));
        assert!(modules.len() > 5, "{package} moved");
        let found = circles(&uses(&modules)).into_iter().map(|circle| {
            let rooms: Vec<String> = circle.iter().map(|room| room.join("/")).collect();
            format!("{package}: {}", rooms.join(" and "))
        });
        circles_found.extend(found);
    }
    assert!(circles_found.is_empty(), "{circles_found:#?}");
}

#[test]
fn circles_are_found_however_they_are_written() {
    let circles_of = |files: &[(&str, &str)]| {
        let modules = files
            .iter()
            .map(|(name, text)| (module(name), Code::read(text)));
        circles(&uses(&modules.collect()))
    };

    let plain = [
        ("a", "use crate::b::B;"),
        ("b", "fn f() { super::a::g() }"),
        ("lib", "mod a;"),
    ];
    assert_eq!(circles_of(&plain).len(), 1);
    // Through what stands within, and through what the parent hands on.
    let within = [
        ("a/mod", "mod inner;"),
        (
            "a/inner",
            "use crate::{b, c::{self, C}};\nfn f() { b::x() }",
        ),
        ("b", "use crate::A;"),
        ("c", ""),
        ("lib", "pub use a::inner::A;"),
    ];
    assert_eq!(circles_of(&within).len(), 1);
    let three = [
        ("a", "use crate::b::x;"),
        ("b", "use crate::c::*;"),
        ("c", "use crate::a::y;"),
    ];
    assert_eq!(circles_of(&three).len(), 1);
    // A module and what is within it; words in comments, texts and tests.
    let none = [
        ("a/mod", "mod inner; use inner::X;"),
        ("a/inner", "use super::Y;"),
        ("b", "use crate::a::X;"),
        (
            "c",
            "// crate::b::x\nconst T: &str = \"crate::b\"; const R: &str = r#\"\" crate::b::x\"#;\n\
             fn f<'a>(x: &'a str) -> char { '\"' }\n#[cfg(test)]\nmod tests { use crate::d::X; }",
        ),
        ("d", "use crate::c::f;"),
    ];
    let found = circles_of(&none);
    assert!(found.is_empty(), "{found:?}");
}

/// What the test looks at of one file.
#[derive(Default)]
struct Code {
    /// Name by which something was brought in, its path, and whether it is handed on.
    imports: Vec<(String, Vec<String>, bool)>,
    /// Paths of two names and more, and single names.
    paths: Vec<Vec<String>>,
}

impl Code {
    fn read(text: &str) -> Self {
        let tokens = without_tests(&tokens(text));
        let mut code = Self::default();
        let mut at = 0;
        while at < tokens.len() {
            if tokens[at] == "use" {
                let end = at + tokens[at..].iter().position(|token| token == ";").unwrap();
                let before = at.checked_sub(1).map(|before| tokens[before].as_str());
                let is_public = matches!(before, Some("pub" | ")"));
                for (name, path) in expand(&tokens[at + 1..end]) {
                    code.imports.push((name, path, is_public));
                }
                at = end;
            } else if is_name(&tokens[at]) {
                let mut path = vec![tokens[at].clone()];
                while tokens.get(at + 1).is_some_and(|token| token == "::")
                    && tokens.get(at + 2).is_some_and(|token| is_name(token))
                {
                    path.push(tokens[at + 2].clone());
                    at += 2;
                }
                code.paths.push(path);
            }
            at += 1;
        }
        code
    }
}

/// Names and signs, without comments and texts; `::` is one sign.
fn tokens(text: &str) -> Vec<String> {
    let text: Vec<char> = text.chars().collect();
    let mut tokens = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        let starts = |what: &str| what.chars().eq(rest.iter().copied().take(what.len()));
        let size = if starts("//") {
            rest.iter()
                .position(|char| *char == '\n')
                .unwrap_or(rest.len())
        } else if starts("/*") {
            let end = rest.windows(2).position(|pair| pair == ['*', '/']);
            end.map_or(rest.len(), |end| end + 2)
        } else if let Some(size) = raw_text(rest) {
            size
        } else if rest[0] == '"' {
            quoted(rest, '"')
        } else if rest[0] == '\'' && (rest.get(1) == Some(&'\\') || rest.get(2) == Some(&'\'')) {
            quoted(rest, '\'')
        } else if rest[0].is_alphanumeric() || rest[0] == '_' {
            let end = rest
                .iter()
                .position(|char| !char.is_alphanumeric() && *char != '_');
            let size = end.unwrap_or(rest.len());
            tokens.push(rest[..size].iter().collect());
            size
        } else {
            let size = if starts("::") { 2 } else { 1 };
            if !rest[0].is_whitespace() {
                tokens.push(rest[..size].iter().collect());
            }
            size
        };
        at += size;
    }
    tokens
}

/// Length of a text in quotes, escapes and all.
fn quoted(text: &[char], quote: char) -> usize {
    let mut at = 1;
    while at < text.len() && text[at] != quote {
        at += if text[at] == '\\' { 2 } else { 1 };
    }
    at + 1
}

/// Length of a raw text, if one begins here.
fn raw_text(text: &[char]) -> Option<usize> {
    let start = text.iter().position(|char| *char != 'b' && *char != 'r')?;
    if !(1..=2).contains(&start) || text[start - 1] != 'r' {
        return None;
    }
    let hashes = text[start..]
        .iter()
        .take_while(|char| **char == '#')
        .count();
    if text.get(start + hashes) != Some(&'"') {
        return None;
    }
    let end: Vec<char> = format!("\"{}", "#".repeat(hashes)).chars().collect();
    let body = start + hashes + 1;
    let found = text[body..]
        .windows(end.len())
        .position(|window| window == end);
    Some(found.map_or(text.len(), |found| body + found + end.len()))
}

/// Leaves out what is compiled for tests alone.
fn without_tests(tokens: &[String]) -> Vec<String> {
    let mut kept = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let attribute = ["#", "[", "cfg", "(", "test", ")", "]"];
        if !tokens[at..]
            .iter()
            .take(attribute.len())
            .eq(attribute.iter())
        {
            kept.push(tokens[at].clone());
            at += 1;
            continue;
        }
        at += attribute.len();
        let mut depth = 0;
        while at < tokens.len() {
            match tokens[at].as_str() {
                "{" => depth += 1,
                "}" => depth -= 1,
                _ => {}
            }
            at += 1;
            if depth == 0 && matches!(tokens[at - 1].as_str(), "}" | ";") {
                break;
            }
        }
    }
    kept
}

fn is_name(token: &str) -> bool {
    token
        .chars()
        .all(|char| char.is_alphanumeric() || char == '_')
}

/// The paths of a `use` line, each with the name it goes by; `*` for all.
fn expand(tokens: &[String]) -> Vec<(String, Vec<String>)> {
    let mut prefix = Vec::new();
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        match token.as_str() {
            "{" => {
                let inner = &tokens[at + 1..tokens.len() - 1];
                let mut depth = 0;
                let parts = inner.split(|token| {
                    depth += i32::from(token == "{") - i32::from(token == "}");
                    depth == 0 && token == ","
                });
                return parts
                    .filter(|part| !part.is_empty())
                    .flat_map(expand)
                    .map(|(name, rest)| {
                        let path = [prefix.clone(), rest].concat();
                        let name = if name == "self" {
                            prefix.last().unwrap().clone()
                        } else {
                            name
                        };
                        (name, path)
                    })
                    .map(|(name, mut path)| {
                        path.retain(|part| part != "self");
                        (name, path)
                    })
                    .collect();
            }
            "as" => return vec![(tokens[at + 1].clone(), prefix)],
            "::" => {}
            part => prefix.push(part.to_owned()),
        }
        at += 1;
    }
    let name = prefix.last().cloned().unwrap_or_default();
    vec![(name, prefix)]
}

/// The module of a file, by its path without `.rs`.
fn module(name: &str) -> Module {
    let mut parts: Module = name.split('/').map(str::to_owned).collect();
    if matches!(parts.last().map(String::as_str), Some("mod" | "lib")) {
        parts.pop();
    }
    parts
}

fn read_crate(source: &Path) -> BTreeMap<Module, Code> {
    let mut modules = BTreeMap::new();
    let mut folders: Vec<PathBuf> = vec![source.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(source).unwrap().with_extension("");
            let name = name.to_str().unwrap().replace('\\', "/");
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs")
                && name != "main"
                && !name.ends_with("tests")
                && !name.contains("tests/")
            {
                modules.insert(
                    module(&name),
                    Code::read(&std::fs::read_to_string(&path).unwrap()),
                );
            }
        }
    }
    modules
}

/// A path from the root of the crate, if it leads anywhere in it.
fn absolute(modules: &BTreeMap<Module, Code>, from: &Module, path: &[String]) -> Option<Module> {
    let mut at = from.clone();
    let mut path = path;
    match path.first()?.as_str() {
        "crate" => return Some(path[1..].to_vec()),
        "self" => path = &path[1..],
        "super" => {
            while path.first().is_some_and(|part| part == "super") {
                at.pop();
                path = &path[1..];
            }
        }
        child => {
            let child = [from.as_slice(), &[child.to_owned()]].concat();
            modules.get(&child)?;
        }
    }
    Some([at.as_slice(), path].concat())
}

/// The module in which what a path names is made.
fn resolve(modules: &BTreeMap<Module, Code>, path: &[String], depth: usize) -> Module {
    let known = (0..=path.len())
        .rev()
        .find(|size| modules.contains_key(&path[..*size]));
    let (module, rest) = path.split_at(known.unwrap_or(0));
    let module = module.to_vec();
    let (Some(code), Some(name)) = (modules.get(&module), rest.first()) else {
        return module;
    };
    let handed_on = code
        .imports
        .iter()
        .find(|(as_name, _, public)| *public && as_name == name);
    let further = handed_on.and_then(|(_, path, _)| absolute(modules, &module, path));
    match further {
        Some(further) if depth < 8 => resolve(
            modules,
            &[further.as_slice(), &rest[1..]].concat(),
            depth + 1,
        ),
        _ => module,
    }
}

/// Which room uses which: each module is told apart from the other where their ways part.
fn uses(modules: &BTreeMap<Module, Code>) -> BTreeMap<Module, BTreeSet<Module>> {
    let mut uses: BTreeMap<Module, BTreeSet<Module>> = BTreeMap::new();
    for (from, code) in modules {
        let mut used = BTreeSet::new();
        let mut names: BTreeMap<&str, Module> = BTreeMap::new();
        for (name, path, public) in &code.imports {
            let Some(path) = absolute(modules, from, path) else {
                continue;
            };
            // What is only handed on is used by whoever takes it.
            if !public {
                used.insert(resolve(modules, &path, 0));
            }
            names.insert(name, path);
        }
        for path in &code.paths {
            let whole = match names.get(path[0].as_str()) {
                Some(start) => Some([start.as_slice(), &path[1..]].concat()),
                None if path.len() > 1 => absolute(modules, from, path),
                None => None,
            };
            used.extend(whole.map(|whole| resolve(modules, &whole, 0)));
        }
        for to in used {
            let shared = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
            if shared < from.len() && shared < to.len() {
                let rooms = uses.entry(from[..=shared].to_vec()).or_default();
                rooms.insert(to[..=shared].to_vec());
            }
        }
    }
    uses
}

/// Sets of rooms each of which leads to all others.
fn circles(uses: &BTreeMap<Module, BTreeSet<Module>>) -> Vec<BTreeSet<Module>> {
    let reach = |start: &Module| {
        let mut reached = BTreeSet::new();
        let mut left: Vec<&Module> = uses.get(start).into_iter().flatten().collect();
        while let Some(room) = left.pop() {
            if reached.insert(room.clone()) {
                left.extend(uses.get(room).into_iter().flatten());
            }
        }
        reached
    };
    let reached: BTreeMap<&Module, BTreeSet<Module>> =
        uses.keys().map(|room| (room, reach(room))).collect();
    let mut circles: Vec<BTreeSet<Module>> = Vec::new();
    for (room, others) in &reached {
        if others.contains(*room) && !circles.iter().any(|circle| circle.contains(*room)) {
            let back = |other: &&Module| reached.get(*other).is_some_and(|way| way.contains(*room));
            circles.push(others.iter().filter(back).cloned().collect());
        }
    }
    circles
}
