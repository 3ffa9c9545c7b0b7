//! The reference of the command line, made from the arguments themselves.

use std::fmt::Write;

use clap::builder::StyledStr;
use clap::{Arg, Command, CommandFactory};

use super::Cli;

/// The page `docs/cli.md`: every command with every option.
pub fn reference() -> String {
    let mut root = Cli::command();
    root.build();
    let mut page = String::from(
        "# The command line\n\n\
         <!-- Made from the program's arguments by its tests; LYCEUM_BLESS=1 writes it anew. -->\n\n",
    );
    push(&mut page, &plain(root.get_about()));
    push(&mut page, "");
    commands(&root).for_each(|command| index(&mut page, command));
    push(&mut page, "\n## For every command\n");
    options(&root).for_each(|option| entry(&mut page, option));
    commands(&root).for_each(|command| section(&mut page, command, "lyceum"));
    push(&mut page, "\n## Exit codes and environment\n\n```text");
    push(&mut page, &plain(root.get_after_help()));
    push(&mut page, "```");
    page
}

fn commands(command: &Command) -> impl Iterator<Item = &Command> {
    let shown = |inner: &&Command| inner.get_name() != "help" && !inner.is_hide_set();
    command.get_subcommands().filter(shown)
}

/// What a command takes itself.
fn options(command: &Command) -> impl Iterator<Item = &Arg> {
    let shown =
        |arg: &&Arg| !matches!(arg.get_id().as_str(), "help" | "version") && !arg.is_hide_set();
    command.get_arguments().filter(shown)
}

fn index(page: &mut String, command: &Command) {
    let name = command.get_name();
    push(page, &format!("- [`lyceum {name}`](#lyceum-{name}): {}", plain(command.get_about())));
}

fn section(page: &mut String, command: &Command, before: &str) {
    let name = format!("{before} {}", command.get_name());
    push(page, &format!("\n## {name}\n\n{}\n", plain(command.get_about())));
    let own: Vec<&Arg> = options(command).filter(|arg| !arg.is_global_set()).collect();
    own.into_iter().for_each(|option| entry(page, option));
    commands(command).for_each(|inner| section(page, inner, &name));
}

fn entry(page: &mut String, arg: &Arg) {
    let mut text = format!("- `{}`: {}", call(arg), plain(arg.get_help()));
    let values: Vec<_> = arg.get_possible_values().iter().map(|it| it.get_name().into()).collect();
    let takes_value = arg.get_action().takes_values();
    if takes_value && !values.is_empty() {
        let values: Vec<String> = values;
        text.push_str(&format!(" (`{}`)", values.join("`, `")));
    }
    let default = arg.get_default_values().first().map(|value| value.to_string_lossy());
    if let Some(default) = default.filter(|_| takes_value && !arg.is_hide_default_value_set()) {
        text.push_str(&format!(" [default: `{default}`]"));
    }
    push(page, &text);
}

/// `-v, --verbose`, `--repo <DIR>`, `<NAME>`.
fn call(arg: &Arg) -> String {
    let short = arg.get_short().map(|short| format!("-{short}"));
    let long = arg.get_long().map(|long| format!("--{long}"));
    let mut names: Vec<String> = short.into_iter().chain(long).collect();
    if arg.get_action().takes_values() {
        let value = arg.get_value_names().and_then(|names| names.first());
        let value = value.map_or_else(|| arg.get_id().to_string(), ToString::to_string);
        let value = format!("<{}>", value.to_uppercase());
        match names.last_mut() {
            Some(last) => last.push_str(&format!(" {value}")),
            None => names.push(value),
        }
    }
    names.join(", ")
}

fn plain(text: Option<&StyledStr>) -> String {
    text.map(ToString::to_string).unwrap_or_default()
}

fn push(page: &mut String, line: &str) {
    // Writing to a string cannot fail.
    writeln!(page, "{line}").ok();
}
