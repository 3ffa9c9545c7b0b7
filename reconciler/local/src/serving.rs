//! What runs the servers of a cloud: threads of their own, so that whoever uses
//! this crate needs no async runtime. They end with this value.

use std::future::Future;
use std::net::SocketAddr;

use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use crate::error::Error;

const THREADS: usize = 2;

#[derive(Debug)]
pub(crate) struct Serving(Option<Runtime>);

impl Serving {
    pub(crate) fn start() -> Result<Self, Error> {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(THREADS)
            .thread_name("lyceum-local")
            .enable_all()
            .build()
            .map(|runtime| Self(Some(runtime)))
            .map_err(Error::starting("threads for servers"))
    }

    /// Listens before it returns, and says on which port.
    pub(crate) fn listen<F, S>(&self, address: SocketAddr, serve: S) -> Result<SocketAddr, Error>
    where
        S: FnOnce(TcpListener) -> F,
        F: Future<Output = ()> + Send + 'static,
    {
        let failed = |source| Error::Listen { address, source };
        let Some(runtime) = &self.0 else {
            return Err(failed(std::io::ErrorKind::NotConnected.into()));
        };
        let listener = std::net::TcpListener::bind(address).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let bound = listener.local_addr().map_err(failed)?;
        let _inside = runtime.enter();
        let listener = TcpListener::from_std(listener).map_err(failed)?;
        runtime.spawn(serve(listener));
        Ok(bound)
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // Not waited for: this may be dropped from inside another runtime.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
