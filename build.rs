//! How the released binary is laid out: what every start runs lies together, and functions that came out equal are one.
//!
//! Only with the linker that Rust brings along for Linux on x86-64, to which the options belong; elsewhere, and where another
//! linker is asked for, the binary is laid out as it comes. `link/order.txt` is written by `cargo xtask link-order`.

use std::path::Path;
use std::process::Command;
use std::{env, fs, str};

const ORDER: &str = "link/order.txt";
const TARGET: &str = "x86_64-unknown-linux-gnu";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={ORDER}");
    let is = |variable: &str, value: &str| env::var(variable).is_ok_and(|found| found == value);
    if !is("PROFILE", "release") || !is("TARGET", TARGET) || !is("HOST", TARGET) {
        return;
    }
    if asks_for_another_linker() || !has_own_linker().unwrap_or(false) {
        return;
    }
    // A copy, as clones that share a build folder would name the file of the one that was there first.
    let folder = env::var_os("OUT_DIR").expect("cargo says where output goes");
    let order = Path::new(&folder).join("order.txt");
    fs::copy(ORDER, &order).expect("link/order.txt is part of the project");
    let order = format!("--symbol-ordering-file={}", order.display());
    // A function that is gone, or has another name in another compiler's build, lies where it comes.
    for option in ["--icf=all", &order, "--no-warn-symbol-ordering"] {
        println!("cargo::rustc-link-arg-bins=-Xlinker");
        println!("cargo::rustc-link-arg-bins={option}");
    }
}

fn asks_for_another_linker() -> bool {
    let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    let words = ["linker", "fuse-ld", "link-self-contained"];
    env::var_os("RUSTC_LINKER").is_some() || words.iter().any(|word| flags.contains(word))
}

/// Compilers that distributions build leave it out and link with the system's.
fn has_own_linker() -> Option<bool> {
    let rustc = env::var_os("RUSTC")?;
    let output = Command::new(rustc).args(["--print", "sysroot"]).output();
    let output = output.ok()?;
    let sysroot = Path::new(str::from_utf8(&output.stdout).ok()?.trim());
    let linker = format!("lib/rustlib/{TARGET}/bin/gcc-ld/ld.lld");
    Some(sysroot.join(linker).exists())
}
