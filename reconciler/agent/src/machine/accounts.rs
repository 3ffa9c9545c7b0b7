//! Users and groups: read from their files, changed by the system's programs.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, SystemTime};

use lyceum_core::node::host::{self, Answer, Cause, HostError, UserEntry, UserWish};

use super::Machine;
use super::programs::{self, Asked};
use crate::disk;

const PASSWD: &str = "/etc/passwd";
const GROUP: &str = "/etc/group";
/// Longest file of accounts that is read.
const LARGEST: usize = 4 * 1024 * 1024;
/// The programs wait for each other's lock.
const TIME: Duration = Duration::from_secs(60);

/// Accounts as they stand in their files, read again when those change.
#[derive(Default)]
pub struct Accounts {
    users: Table<User>,
    groups: Table<Group>,
}

#[derive(Default)]
struct Table<T> {
    seen: Option<(SystemTime, u64)>,
    rows: BTreeMap<String, T>,
}

#[derive(Clone, Default)]
struct User {
    uid: u32,
    gid: u32,
    home: String,
    shell: String,
}

#[derive(Clone, Default)]
struct Group {
    gid: u32,
    members: Vec<String>,
}

impl Accounts {
    /// A user's number, by name or as a number.
    pub fn uid(&mut self, name: &str) -> Answer<u32> {
        self.read()?;
        let number = self.users.rows.get(name).map(|user| user.uid);
        number.or_else(|| name.parse().ok()).ok_or_else(|| unknown("user", name))
    }

    /// A group's number, by name or as a number.
    pub fn gid(&mut self, name: &str) -> Answer<u32> {
        self.read()?;
        let number = self.groups.rows.get(name).map(|group| group.gid);
        number.or_else(|| name.parse().ok()).ok_or_else(|| unknown("group", name))
    }

    /// The name of a user's number, or the number.
    pub fn user_name(&mut self, uid: u32) -> Answer<String> {
        self.read()?;
        let found = self.users.rows.iter().find(|(_, user)| user.uid == uid);
        Ok(found.map_or_else(|| uid.to_string(), |(name, _)| name.clone()))
    }

    /// The name of a group's number, or the number.
    pub fn group_name(&mut self, gid: u32) -> Answer<String> {
        self.read()?;
        let found = self.groups.rows.iter().find(|(_, group)| group.gid == gid);
        Ok(found.map_or_else(|| gid.to_string(), |(name, _)| name.clone()))
    }

    fn user(&mut self, name: &str) -> Answer<Option<UserEntry>> {
        self.read()?;
        let Some(user) = self.users.rows.get(name).cloned() else { return Ok(None) };
        let within = |group: &Group| group.members.iter().any(|member| member == name);
        let groups = self.groups.rows.iter().filter(|(_, group)| within(group));
        let groups = groups.map(|(name, _)| name.clone()).collect();
        let group = self.group_name(user.gid)?;
        Ok(Some(UserEntry { uid: user.uid, group, groups, home: user.home, shell: user.shell }))
    }

    fn read(&mut self) -> Answer<()> {
        refresh(PASSWD, &mut self.users, user)?;
        refresh(GROUP, &mut self.groups, group)
    }
}

fn refresh<T>(path: &str, table: &mut Table<T>, row: fn(&[&str]) -> Option<T>) -> Answer<()> {
    let failed = |error: &std::io::Error| disk::failed(format!("read {path}"), error);
    let about = std::fs::metadata(path).map_err(|error| failed(&error))?;
    let seen = about.modified().ok().map(|when| (when, about.len()));
    if seen.is_some() && table.seen == seen {
        return Ok(());
    }
    let content = disk::read(Path::new(path), LARGEST).map_err(|error| failed(&error))?;
    let content = String::from_utf8_lossy(&content.unwrap_or_default()).into_owned();
    table.rows.clear();
    for line in content.lines() {
        let fields: Vec<&str> = line.split(':').collect();
        if let Some(found) = row(&fields) {
            // The first of a name counts, as for the C library.
            table.rows.entry(fields[0].to_string()).or_insert(found);
        }
    }
    table.seen = seen;
    Ok(())
}

fn user(fields: &[&str]) -> Option<User> {
    let [_, _, uid, gid, _, home, shell] = fields else { return None };
    let (uid, gid) = (uid.parse().ok()?, gid.parse().ok()?);
    Some(User { uid, gid, home: (*home).into(), shell: (*shell).into() })
}

fn group(fields: &[&str]) -> Option<Group> {
    let [_, _, gid, members] = fields else { return None };
    let members = members.split(',').filter(|name| !name.is_empty()).map(Into::into).collect();
    Some(Group { gid: gid.parse().ok()?, members })
}

fn unknown(what: &str, name: &str) -> HostError {
    HostError::new(Cause::NotFound, format!("look {what} {name} up"), format!("no such {what}"))
}

impl host::Accounts for Machine {
    fn user(&mut self, name: &str) -> Answer<Option<UserEntry>> {
        self.accounts.user(name)
    }

    fn put_user(&mut self, wish: &UserWish) -> Answer<()> {
        match self.accounts.user(&wish.name)? {
            None => {
                let own_group = self.host_group(&wish.name)?;
                self.account(useradd(wish, own_group))
            }
            Some(entry) => match usermod(wish, &entry) {
                Some(argv) => self.account(argv),
                None => Ok(()),
            },
        }
    }

    fn remove_user(&mut self, name: &str) -> Answer<()> {
        match self.accounts.user(name)? {
            Some(_) => self.account(vec!["userdel".into(), name.into()]),
            None => Ok(()),
        }
    }

    fn group(&mut self, name: &str) -> Answer<Option<u32>> {
        self.accounts.read()?;
        Ok(self.accounts.groups.rows.get(name).map(|group| group.gid))
    }

    fn put_group(&mut self, name: &str, gid: Option<u32>, system: bool) -> Answer<()> {
        let there = host::Accounts::group(self, name)?;
        let mut argv: Vec<String> = match there {
            Some(is) if gid.is_none_or(|gid| gid == is) => return Ok(()),
            Some(_) => vec!["groupmod".into()],
            None => vec!["groupadd".into()],
        };
        if let Some(gid) = gid {
            argv.extend(["-g".into(), gid.to_string()]);
        }
        if system && there.is_none() {
            argv.push("-r".into());
        }
        argv.push(name.into());
        self.account(argv)
    }

    fn remove_group(&mut self, name: &str) -> Answer<()> {
        match host::Accounts::group(self, name)? {
            Some(_) => self.account(vec!["groupdel".into(), name.into()]),
            None => Ok(()),
        }
    }
}

impl Machine {
    fn host_group(&mut self, name: &str) -> Answer<bool> {
        Ok(host::Accounts::group(self, name)?.is_some())
    }

    fn account(&mut self, argv: Vec<String>) -> Answer<()> {
        let operation = argv.join(" ");
        let ended = self.runtime.block_on(programs::run(&Asked::of(argv, TIME)))?;
        if ended.code == 0 {
            return Ok(());
        }
        // The codes of Debian's and Fedora's shadow alike.
        let cause = match ended.code {
            1 | 10 => Cause::Busy,
            2 | 3 => Cause::Invalid,
            4 | 9 => Cause::Refused,
            6 => Cause::NotFound,
            8 => Cause::Busy,
            _ => Cause::Failed,
        };
        Err(HostError::new(cause, operation, ended.output.trim()))
    }
}

fn useradd(wish: &UserWish, own_group: bool) -> Vec<String> {
    let mut argv = vec!["useradd".to_string()];
    if let Some(uid) = wish.uid {
        argv.extend(["-u".into(), uid.to_string()]);
    }
    match &wish.group {
        Some(group) => argv.extend(["-N".into(), "-g".into(), group.clone()]),
        None if own_group => argv.extend(["-N".into(), "-g".into(), wish.name.clone()]),
        None => argv.push("-U".into()),
    }
    if !wish.groups.is_empty() {
        argv.extend(["-G".into(), wish.groups.join(",")]);
    }
    match &wish.home {
        Some(home) => argv.extend(["-m".into(), "-d".into(), home.clone()]),
        None => argv.push("-M".into()),
    }
    if let Some(shell) = &wish.shell {
        argv.extend(["-s".into(), shell.clone()]);
    }
    if wish.system {
        argv.push("-r".into());
    }
    argv.push(wish.name.clone());
    argv
}

/// None where nothing differs: the program would fail for want of an option.
fn usermod(wish: &UserWish, is: &UserEntry) -> Option<Vec<String>> {
    let mut argv = vec!["usermod".to_string()];
    let mut change = |option: &str, value: Option<String>| {
        argv.extend(value.into_iter().flat_map(|value| [option.to_string(), value]));
    };
    change("-u", wish.uid.filter(|uid| *uid != is.uid).map(|uid| uid.to_string()));
    change("-g", wish.group.clone().filter(|group| *group != is.group));
    change("-d", wish.home.clone().filter(|home| *home != is.home));
    change("-s", wish.shell.clone().filter(|shell| *shell != is.shell));
    let more: Vec<_> = wish.groups.iter().filter(|one| !is.groups.contains(one)).cloned().collect();
    if !more.is_empty() {
        argv.extend(["-a".into(), "-G".into(), more.join(",")]);
    }
    (argv.len() > 1).then(|| {
        argv.push(wish.name.clone());
        argv
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_is_changed() {
        let is = UserEntry {
            uid: 1000,
            group: "hub".into(),
            groups: vec!["docker".into()],
            home: "/home/hub".into(),
            shell: "/bin/sh".into(),
        };
        let mut wish = UserWish {
            name: "hub".into(),
            uid: Some(1000),
            groups: vec!["docker".into()],
            ..UserWish::default()
        };
        assert_eq!(usermod(&wish, &is), None);
        wish.groups.push("video".into());
        wish.shell = Some("/bin/bash".into());
        let argv = ["usermod", "-s", "/bin/bash", "-a", "-G", "video", "hub"];
        assert_eq!(usermod(&wish, &is), Some(argv.map(String::from).to_vec()));
    }
}
