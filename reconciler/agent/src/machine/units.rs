//! systemd, over the system's bus.

use std::time::{Duration, Instant};

use lyceum_core::node::host::{self, Answer, Cause, HostError, UnitState, UnitVerb};
use serde::de::DeserializeOwned;
use tokio::runtime::Handle;
use zbus::zvariant::{DynamicType, Type};
use zbus::{Connection, OwnedObjectPath, OwnedVariant, connection, fdo};

use super::Machine;
use super::programs::{self, Asked};

const SYSTEMD: &str = "org.freedesktop.systemd1";
const ROOT: &str = "/org/freedesktop/systemd1";
const PROPERTIES: &str = "org.freedesktop.DBus.Properties";
/// systemd answers at once, but while it reads its units again.
const CALL: Duration = Duration::from_secs(60);
/// Longest wait for a unit to come up or go: systemd's own default is 90 s.
const JOB: Duration = Duration::from_secs(180);
const POLL: Duration = Duration::from_millis(50);
/// A program that cannot run ends within this of being started.
const SETTLE: Duration = Duration::from_millis(400);
const LOG_TIME: Duration = Duration::from_secs(10);
/// Lines of a unit's log in a message.
const LOG_LINES: &str = "10";

/// The connection to the system's bus, made when it is first needed.
#[derive(Default)]
pub struct Bus(Option<Connection>);

impl Bus {
    async fn connection(&mut self) -> Answer<Connection> {
        if let Some(connection) = &self.0 {
            return Ok(connection.clone());
        }
        let connection = connection::Builder::system()
            .method_timeout(CALL)
            .build()
            .await
            .map_err(|error| failed("speak to systemd", &error))?;
        self.0 = Some(connection.clone());
        Ok(connection)
    }

    /// Calls a method of systemd.
    async fn systemd<B, R>(&mut self, operation: &str, method: &str, body: &B) -> Answer<R>
    where
        B: serde::Serialize + DynamicType,
        R: DeserializeOwned + Type,
    {
        self.call(operation, (ROOT, "org.freedesktop.systemd1.Manager", method), body).await
    }

    async fn call<B, R>(
        &mut self,
        operation: &str,
        (path, interface, method): (&str, &str, &str),
        body: &B,
    ) -> Answer<R>
    where
        B: serde::Serialize + DynamicType,
        R: DeserializeOwned + Type,
    {
        let connection = self.connection().await?;
        let answer =
            connection.call_method(Some(SYSTEMD), path, Some(interface), method, body).await;
        let answer = answer.map_err(|error| {
            let failed = failed(operation, &error);
            if failed.cause == Cause::Unreachable {
                // The bus was restarted; the next call meets the new one.
                self.0 = None;
            }
            failed
        })?;
        answer.body().deserialize().map_err(|error| failed(operation, &error))
    }

    async fn property<T>(&mut self, unit: &OwnedObjectPath, of: &str, name: &str) -> Answer<T>
    where
        T: TryFrom<OwnedVariant>,
    {
        let operation = format!("look at {name} of a unit");
        let target = (unit.as_str(), PROPERTIES, "Get");
        let interface = format!("org.freedesktop.systemd1.{of}");
        let value: OwnedVariant = self.call(&operation, target, &(interface, name)).await?;
        let odd = |_| HostError::new(Cause::Failed, operation.clone(), "an answer of another type");
        T::try_from(value).map_err(odd)
    }

    async fn text(&mut self, unit: &OwnedObjectPath, name: &str) -> Answer<String> {
        self.property(unit, "Unit", name).await
    }

    async fn load(&mut self, name: &str) -> Answer<OwnedObjectPath> {
        self.systemd(&format!("look at {name}"), "LoadUnit", &(name,)).await
    }

    async fn state(&mut self, name: &str) -> Answer<UnitState> {
        let unit = self.load(name).await?;
        let load = self.text(&unit, "LoadState").await?;
        Ok(UnitState {
            loaded: load != "not-found",
            active: plain(&self.text(&unit, "ActiveState").await?),
            enabled: self.enabled(name).await?,
            needs_reload: self.property(&unit, "Unit", "NeedDaemonReload").await?,
        })
    }

    /// As the disk has it; a unit that has no say in it counts as enabled.
    async fn enabled(&mut self, name: &str) -> Answer<bool> {
        let operation = format!("look at {name}");
        let state: Answer<String> = self.systemd(&operation, "GetUnitFileState", &(name,)).await;
        match state {
            Ok(state) => Ok(ENABLED.contains(&state.as_str())),
            Err(error) if error.cause == Cause::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn reload(&mut self) -> Answer<()> {
        self.systemd("have systemd read its units again", "Reload", &()).await
    }

    async fn run_job(&mut self, name: &str, verb: &str, method: &str) -> Answer<()> {
        let operation = format!("{verb} {name}");
        // Too many tries before do not count against this one.
        let reset: Answer<()> = self.systemd(&operation, "ResetFailedUnit", &(name,)).await;
        if let Err(error) = reset
            && error.cause == Cause::Unreachable
        {
            return Err(error);
        }
        let _: OwnedObjectPath = self.systemd(&operation, method, &(name, "replace")).await?;
        let unit = self.load(name).await?;
        let begun = Instant::now();
        loop {
            let job: (u32, OwnedObjectPath) = self.property(&unit, "Unit", "Job").await?;
            if job.0 == 0 {
                break;
            }
            if begun.elapsed() > JOB {
                let message = format!("not done after {} s", JOB.as_secs());
                return Err(HostError::new(Cause::Timeout, operation, message));
            }
            tokio::time::sleep(POLL).await;
        }
        if method != "StopUnit" {
            self.stays_up(&unit, &operation).await?;
        }
        Ok(())
    }

    /// A service that starts and ends at once has not come up.
    async fn stays_up(&mut self, unit: &OwnedObjectPath, operation: &str) -> Answer<()> {
        let begun = Instant::now();
        loop {
            let active = self.text(unit, "ActiveState").await?;
            let sub = self.text(unit, "SubState").await?;
            let ended_well = active == "inactive" && self.ended_well(unit).await;
            if active == "failed" || sub == "auto-restart" || (active == "inactive" && !ended_well)
            {
                let message = format!("it is {active} ({sub})");
                return Err(HostError::new(Cause::Failed, operation, message));
            }
            if ended_well || sub == "exited" || begun.elapsed() > SETTLE {
                return Ok(());
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Something that runs once and is done.
    async fn ended_well(&mut self, unit: &OwnedObjectPath) -> bool {
        let result: Answer<String> = self.property(unit, "Service", "Result").await;
        let kind: Answer<String> = self.property(unit, "Service", "Type").await;
        result.as_deref() == Ok("success") && kind.as_deref() == Ok("oneshot")
    }
}

/// Units that start with what wants them; the last ones have no `[Install]`.
const ENABLED: &[&str] =
    &["enabled", "enabled-runtime", "static", "indirect", "generated", "alias", "transient"];

impl host::Units for Machine {
    fn unit(&mut self, name: &str) -> Answer<UnitState> {
        let Self { runtime, bus, .. } = self;
        within(runtime, bus.state(name))
    }

    fn unit_do(&mut self, name: &str, verb: UnitVerb) -> Answer<()> {
        let Self { runtime, bus, .. } = self;
        let done = within(runtime, async {
            match verb {
                UnitVerb::Start => bus.run_job(name, "start", "StartUnit").await,
                UnitVerb::Stop => bus.run_job(name, "stop", "StopUnit").await,
                UnitVerb::Restart => bus.run_job(name, "restart", "RestartUnit").await,
                UnitVerb::ReloadOrRestart => {
                    bus.run_job(name, "reload", "ReloadOrRestartUnit").await
                }
                UnitVerb::Enable => enable(bus, name).await,
                UnitVerb::Disable => disable(bus, name).await,
            }
        });
        done.map_err(|error| match error.cause {
            Cause::Failed | Cause::Invalid => self.with_log(name, error),
            _ => error,
        })
    }

    fn reload_units(&mut self) -> Answer<()> {
        let Self { runtime, bus, .. } = self;
        within(runtime, bus.reload())
    }
}

impl Machine {
    fn with_log(&self, name: &str, mut error: HostError) -> HostError {
        let words = ["journalctl", "-u", name, "-n", LOG_LINES, "-o", "cat", "--no-pager"];
        let ended = self.runtime.block_on(programs::run(&Asked::words(&words, LOG_TIME)));
        if let Ok(ended) = ended
            && ended.code == 0
            && !ended.output.trim().is_empty()
        {
            error.message =
                format!("{}; the end of its log: {}", error.message, ended.output.trim());
        }
        error
    }
}

async fn enable(bus: &mut Bus, name: &str) -> Answer<()> {
    let operation = format!("enable {name}");
    type Changes = Vec<(String, String, String)>;
    let _: (bool, Changes) =
        bus.systemd(&operation, "EnableUnitFiles", &(vec![name], false, true)).await?;
    bus.reload().await
}

async fn disable(bus: &mut Bus, name: &str) -> Answer<()> {
    let operation = format!("disable {name}");
    let _: Vec<(String, String, String)> =
        bus.systemd(&operation, "DisableUnitFiles", &(vec![name], false)).await?;
    bus.reload().await
}

fn within<T>(runtime: &Handle, call: impl Future<Output = Answer<T>>) -> Answer<T> {
    runtime.block_on(call)
}

/// systemd's states are finer than ours.
fn plain(active: &str) -> String {
    match active {
        "reloading" | "maintenance" | "refreshing" => "active".into(),
        other => other.into(),
    }
}

fn failed(operation: &str, error: &zbus::Error) -> HostError {
    let (cause, message) = match error {
        zbus::Error::MethodError(name, text, _) => {
            (named(name.as_str()), text.clone().unwrap_or_else(|| name.to_string()))
        }
        zbus::Error::FDO(error) => (cause_of(error), error.to_string()),
        zbus::Error::InputOutput(error) if error.kind() == std::io::ErrorKind::TimedOut => {
            (Cause::Timeout, "no answer in time".into())
        }
        zbus::Error::InputOutput(_) | zbus::Error::Handshake(_) | zbus::Error::Address(_) => {
            (Cause::Unreachable, error.to_string())
        }
        _ => (Cause::Failed, error.to_string()),
    };
    HostError::new(cause, operation, message)
}

fn named(name: &str) -> Cause {
    match name.strip_prefix("org.freedesktop.systemd1.").unwrap_or(name) {
        "NoSuchUnit" | "LoadFailed" => Cause::NotFound,
        "BadUnitSetting" => Cause::Invalid,
        "UnitMasked" => Cause::Refused,
        "TransactionIsDestructive" => Cause::Busy,
        _ => Cause::Failed,
    }
}

fn cause_of(error: &fdo::Error) -> Cause {
    match error {
        fdo::Error::FileNotFound(_) | fdo::Error::UnknownObject(_) => Cause::NotFound,
        fdo::Error::AccessDenied(_) | fdo::Error::AuthFailed(_) => Cause::Denied,
        fdo::Error::NoReply(_)
        | fdo::Error::Disconnected(_)
        | fdo::Error::ServiceUnknown(_)
        | fdo::Error::NoServer(_)
        | fdo::Error::IOError(_) => Cause::Unreachable,
        fdo::Error::Timeout(_) | fdo::Error::TimedOut(_) => Cause::Timeout,
        fdo::Error::InvalidArgs(_) => Cause::Invalid,
        _ => Cause::Failed,
    }
}
