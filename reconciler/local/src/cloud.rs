//! A whole cloud on this machine: the ground nodes stand on, the AWS emulator,
//! and the driver that makes its instances nodes. What is missing to a cluster is
//! the reconciler and a repository.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crate::driver::{Driver, Terms};
use crate::emulator::Emulator;
use crate::error::Error;
use crate::forward::Forward;
use crate::ground::{Ground, Options};
use crate::image::Image;
use crate::place::Place;

/// A cloud. Fields end in their order: nobody follows the emulator any more when
/// it ends, and nodes end last, with the ground.
#[derive(Debug)]
pub struct Cloud {
    driver: Driver,
    forward: Forward,
    emulator: Emulator,
    ground: Arc<Ground>,
    stages: Vec<(String, Duration)>,
}

/// Images that nodes find in the registry, under their production names.
#[derive(Clone, Debug, Default)]
pub struct Shelf {
    /// The hub's image and its name, `registry/group/image:tag`.
    pub hub: Option<String>,
    /// The names the notebook image has.
    pub notebooks: Vec<String>,
}

impl Cloud {
    /// Makes one. `python` has the emulator's packages.
    pub fn open(
        place: &Place,
        options: &Options<'_>,
        python: &Path,
        (shelf, terms): (&Shelf, Terms),
    ) -> Result<Self, Error> {
        let mut stages = Stages::begin(options.done);
        let ground = Arc::new(Ground::open(place, options)?);
        stages.done("network, resolver, metadata, registry");
        let (stocked, emulator) = thread::scope(|scope| {
            let folder = ground.folder().join("emulator");
            let emulator = scope.spawn(move || Emulator::start(python, &folder));
            let stocked = shelf.stock(&ground, place, options);
            (stocked, emulator.join())
        });
        stocked?;
        let emulator = emulator.unwrap_or_else(|_| {
            let what = "the thread that starts the AWS emulator".to_owned();
            Err(Error::Unexpected { what, said: "it panicked".to_owned() })
        })?;
        stages.done("images in the registry, the AWS emulator");
        let forward = ground.forward(0, emulator.address())?;
        let endpoint = format!("http://{}", forward.address());
        let driver = Driver::start(ground.clone(), emulator.address(), &endpoint, terms)?;
        Ok(Self { driver, forward, emulator, ground, stages: stages.all })
    }

    /// What nodes stand on.
    pub fn ground(&self) -> &Ground {
        &self.ground
    }

    /// AWS, for programs of this machine.
    pub fn emulator(&self) -> &Emulator {
        &self.emulator
    }

    /// The nodes' way to AWS, which can be shut.
    pub fn forward(&self) -> &Forward {
        &self.forward
    }

    /// What follows the instances.
    pub fn driver(&self) -> &Driver {
        &self.driver
    }

    /// Where AWS is, for nodes and for this machine alike.
    pub fn endpoint(&self) -> SocketAddr {
        self.forward.address()
    }

    /// What took how long until it stood.
    pub fn stages(&self) -> &[(String, Duration)] {
        &self.stages
    }
}

impl Shelf {
    /// Builds what is not there yet, and puts all of it into the registry.
    fn stock(&self, ground: &Ground, place: &Place, options: &Options<'_>) -> Result<(), Error> {
        let docker = ground.daemon().docker();
        let hub = self.hub.iter().map(|name| (Image::Hub, name));
        for (image, name) in hub.chain(self.notebooks.iter().map(|name| (Image::Notebook, name))) {
            let tag = image.ensure(docker, place, options.report)?;
            ground.stock(&tag, name)?;
        }
        Ok(())
    }
}

struct Stages<'a> {
    last: Instant,
    all: Vec<(String, Duration)>,
    report: &'a dyn Fn(&str, Duration),
}

impl<'a> Stages<'a> {
    fn begin(report: &'a dyn Fn(&str, Duration)) -> Self {
        Self { last: Instant::now(), all: Vec::new(), report }
    }

    fn done(&mut self, what: &str) {
        let took = self.last.elapsed();
        (self.report)(what, took);
        self.all.push((what.to_owned(), took));
        self.last = Instant::now();
    }
}
