//! The scripts that have shells ask [`super::complete`]: one for each shell, for all names of all tools.

use std::io::Write as _;

use ottla_cli::meant::meant;
use ottla_cli::{Context, Failure, Stop, verb};

use crate::{links, tools};

/// File, below the folder of completions, and text of each script.
pub(crate) fn all() -> [(&'static str, String); 3] {
    let tools = tools::all().flat_map(links::names);
    let names: Vec<String> = ["ottla".to_owned()].into_iter().chain(tools).collect();
    let names = names.join(" ");
    [
        ("bash/ottla.bash", BASH.replace("NAMES", &names)),
        ("zsh/_ottla", ZSH.replace("NAMES", &names)),
        ("fish/ottla.fish", FISH.replace("NAMES", &names)),
    ]
}

/// `ottla completion SHELL`: the script on standard output.
pub(crate) fn print(words: &[String], cx: &mut Context) -> Result<(), Stop> {
    let shell = match words {
        [word] if matches!(&**word, "--help" | "-h" | "help") => return explain(cx),
        [shell] => shell,
        _ => return Err(refused("Which shell?".to_owned(), "")),
    };
    let scripts = all();
    let of_shell = |file: &str| file.split_once('/').is_some_and(|(name, _)| name == shell);
    match scripts.iter().find(|(file, _)| of_shell(file)) {
        Some((_, script)) => Ok(cx.out.write_all(script.as_bytes())?),
        None => Err(refused(
            format!("There is no completion for '{shell}'."),
            shell,
        )),
    }
}

fn refused(message: String, shell: &str) -> Stop {
    let failure = Failure::new(message);
    let failure = match meant(shell, ["bash", "zsh", "fish"]) {
        Some(meant) => failure.hint(format!("Did you mean {meant}?")),
        None => failure,
    };
    let hint = "`ottla completion bash`, zsh or fish prints the script, `ottla help completion` says where it goes.";
    failure.hint(hint).status(verb::USAGE).into()
}

const EXPLANATION: &str = "\
Print what a shell needs to complete tools, options, and the names of topics, groups, brokers and keys that the cluster has

Usage: ottla completion SHELL

Examples:
  source <(ottla completion bash)                            # bash; in ~/.bashrc for all that come
  ottla completion zsh > ~/.zfunc/_ottla                     # zsh; with fpath+=~/.zfunc before compinit in ~/.zshrc
  ottla completion fish > ~/.config/fish/conf.d/ottla.fish   # fish

Names come from the cluster that the line or the context names, within 200 ms or not at all.
";

pub(crate) fn explain(cx: &mut Context) -> Result<(), Stop> {
    Ok(cx.out.write_all(EXPLANATION.as_bytes())?)
}

// Where ottla itself is not in the path, the tool's name is a link to it.

const BASH: &str = r#"# Completion of ottla and its tools for bash: `source` this file. Made by `ottla --generate`.
_ottla() {
    local line=${COMP_LINE:0:COMP_POINT} word=${COMP_WORDS[COMP_CWORD]} IFS=$'\n' ottla
    ottla=$(type -P ottla) || ottla=$(readlink -f -- "$(type -P -- "$1")") || return
    COMPREPLY=($("$ottla" complete bash "$line" "$word" 2>/dev/null))
    # Status 3 asks for names of files.
    [[ $? -eq 3 ]] && compopt -o default
    [[ ${COMPREPLY[0]-} == *= ]] && compopt -o nospace
    return 0
}
complete -F _ottla NAMES
"#;

const ZSH: &str = r#"#compdef NAMES
# Completion of ottla and its tools for zsh: put this file into a folder of $fpath. Made by `ottla --generate`.
_ottla() {
    local ottla=${commands[ottla]:-${commands[${words[1]}]:A}}
    local -a found
    found=("${(@f)$("$ottla" complete zsh "${(@Q)words[1,CURRENT]}" 2>/dev/null)}")
    # Status 3 asks for names of files.
    if (( $? == 3 )); then
        _files
        return
    fi
    found=(${found:#})
    (( $#found )) && _describe -V ottla found
}
_ottla "$@"
"#;

const FISH: &str = r#"# Completion of ottla and its tools for fish: `source` this file, or put it into conf.d. Made by `ottla --generate`.
function __ottla_complete
    set -l before (commandline -opc)
    set -l word (commandline -ct)
    set -l ottla (command -s ottla; or path resolve (command -s $before[1]))
    set -l found ($ottla[1] complete fish $before "$word" 2>/dev/null)
    # Status 3 asks for names of files.
    if test $status -eq 3
        __fish_complete_path "$word"
    else
        printf '%s\n' $found
    end
end
for name in NAMES
    complete -c $name -f -a '(__ottla_complete)'
end
"#;
