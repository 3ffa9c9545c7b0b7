//! Users and groups.

use lyceum_core::node::host::{Accounts, Answer, Cause, UserEntry, UserWish};

use super::{FakeHost, Machine, error};

impl Machine {
    fn free_id(&self, system: bool) -> u32 {
        let from = if system { 100 } else { 1000 };
        let taken = |id: &u32| {
            self.groups.values().any(|gid| gid == id)
                || self.users.values().any(|user| user.uid == *id)
        };
        (from..).find(|id| !taken(id)).unwrap_or(from)
    }
}

impl Accounts for FakeHost {
    fn user(&mut self, name: &str) -> Answer<Option<UserEntry>> {
        self.look(format!("user {name}"), |machine| Ok(machine.users.get(name).cloned()))
    }

    fn put_user(&mut self, wish: &UserWish) -> Answer<()> {
        let name = format!("put_user {}", wish.name);
        self.change(name.clone(), |machine| {
            let unknown = wish
                .group
                .iter()
                .chain(&wish.groups)
                .find(|group| !machine.groups.contains_key(*group));
            if let Some(group) = unknown {
                return error(Cause::NotFound, name, format!("no group {group}"));
            }
            let before = machine.users.get(&wish.name).cloned();
            let uid = wish.uid.or(before.as_ref().map(|user| user.uid));
            let uid = uid.unwrap_or_else(|| machine.free_id(wish.system));
            let group = wish.group.clone().or(before.as_ref().map(|user| user.group.clone()));
            let group = group.unwrap_or_else(|| {
                machine.groups.entry(wish.name.clone()).or_insert(uid);
                wish.name.clone()
            });
            let (mut groups, home, shell) = match before {
                Some(user) => (user.groups, user.home, user.shell),
                None => (Vec::new(), format!("/home/{}", wish.name), "/bin/sh".into()),
            };
            groups.extend(wish.groups.clone());
            groups.sort();
            groups.dedup();
            let home = wish.home.clone().unwrap_or(home);
            let shell = wish.shell.clone().unwrap_or(shell);
            machine.users.insert(wish.name.clone(), UserEntry { uid, group, groups, home, shell });
            Ok(())
        })
    }

    fn remove_user(&mut self, name: &str) -> Answer<()> {
        self.change(format!("remove_user {name}"), |machine| {
            machine.users.remove(name);
            Ok(())
        })
    }

    fn group(&mut self, name: &str) -> Answer<Option<u32>> {
        self.look(format!("group {name}"), |machine| Ok(machine.groups.get(name).copied()))
    }

    fn put_group(&mut self, name: &str, gid: Option<u32>, system: bool) -> Answer<()> {
        self.change(format!("put_group {name}"), |machine| {
            let before = machine.groups.get(name).copied();
            let gid = gid.or(before).unwrap_or_else(|| machine.free_id(system));
            machine.groups.insert(name.into(), gid);
            Ok(())
        })
    }

    fn remove_group(&mut self, name: &str) -> Answer<()> {
        self.change(format!("remove_group {name}"), |machine| {
            machine.groups.remove(name);
            Ok(())
        })
    }
}
