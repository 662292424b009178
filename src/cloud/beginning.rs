//! What a cloud begins with: keys, an ID scope, an authority and all records, new or as they were
//! kept.

use std::path::PathBuf;

use rand::Rng as _;

use super::cert::Authority;
use super::core::{Core, Settings};
use super::shared::Shared;
use super::store::{CA_FILE, DataFolder, Founding, KeptAuthority, Store, StoreError};
use super::{CloudError, LocalCloud};
use crate::device::IdScope;
use crate::wire::SharedKey;

/// What a cloud begins with.
#[derive(Debug)]
pub(super) struct Beginning {
    pub(super) id_scope: IdScope,
    pub(super) group_key: SharedKey,
    pub(super) authority: Authority,
    /// The authority's certificate as a file.
    pub(super) ca_file: Option<PathBuf>,
    /// The folder that everything is kept in.
    pub(super) data_dir: Option<PathBuf>,
    seed: [u8; 32],
    store: Option<Store>,
    founding: Option<Founding>,
}

impl Beginning {
    /// Everything new, and nothing kept.
    fn new() -> Result<Self, CloudError> {
        let mut random = rand::rng();
        let mut key = vec![0; 32];
        random.fill_bytes(&mut key);
        let group_key = SharedKey::from_bytes(key).expect("32 bytes are a key");
        let scope = format!("0ne{:08X}", random.next_u32());
        let id_scope = scope.parse().expect("letters and digits are an ID scope");
        let mut seed = [0; 32];
        random.fill_bytes(&mut seed);
        Ok(Self {
            id_scope,
            group_key,
            authority: Authority::make()?,
            ca_file: None,
            data_dir: None,
            seed,
            store: None,
            founding: None,
        })
    }

    /// What was kept in `folder`; where there is none, or nothing in it, everything new.
    pub(super) async fn of(folder: Option<DataFolder>) -> Result<Self, CloudError> {
        let Some(folder) = folder else { return Self::new() };
        aside(move || {
            let store = Store::open(folder)?;
            let mut beginning = Self::new()?;
            if let Some(founding) = store.founding()? {
                let KeptAuthority { certificate, key } = founding.authority();
                beginning.authority = Authority::restore(certificate, key)
                    .map_err(|error| store.damaged(format!("its authority cannot be used: {error}")))?;
                beginning.id_scope =
                    founding.id_scope().ok_or_else(|| store.damaged("its ID scope is not one".to_owned()))?;
                beginning.group_key = founding.group_key().clone();
                beginning.founding = Some(founding);
            }
            beginning.ca_file = Some(store.write_file(CA_FILE, beginning.authority.pem())?);
            beginning.data_dir = Some(store.folder().to_owned());
            beginning.store = Some(store);
            Ok(beginning)
        })
        .await
    }

    /// The cloud with all its records, which from now on are kept when there is where.
    pub(super) async fn shared(self, settings: Settings) -> Result<Shared, CloudError> {
        let Self { authority, seed, store, founding, .. } = self;
        let mut core = Core::new(settings, seed);
        let Some(mut store) = store else { return Ok(Shared::new(core)) };
        for (name, key) in founding.iter().flat_map(Founding::policies) {
            core.restore_policy_key(name, key.clone());
        }
        aside(move || {
            let kept = KeptAuthority { certificate: authority.pem().to_owned(), key: authority.reveal_key() };
            let settings = core.settings();
            let name = settings.names.own.clone();
            let now = Founding::new(&settings.id_scope, &settings.group_key, core.policy_keys(), kept)
                .called(&name);
            let before = founding.as_ref().and_then(Founding::hub).filter(|before| *before != name);
            let before = before.map(str::to_owned);
            if founding.as_ref() != Some(&now) {
                store.found(&now, founding.is_none().then_some(&core))?;
            }
            if founding.is_some() {
                // What was kept says whether there still is one.
                core.forget_default_group();
            }
            let shared = Shared::new(core).once_called(before);
            shared.attach(store)?;
            Ok(shared)
        })
        .await
    }
}

impl LocalCloud {
    /// The name by which the data folder's cloud went when it was last started, when it goes by another
    /// now: whoever was told the old one has to be told.
    pub fn name_before(&self) -> Option<&str> {
        self.shared.name_before.as_deref()
    }
}

/// Does what waits for a disk where nothing else has to wait for it.
async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, CloudError> + Send + 'static,
) -> Result<T, CloudError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        // It panicked, which is told already, or the runtime is going.
        Err(error) => Err(CloudError::Socket(std::io::Error::other(error))),
    }
}

impl From<StoreError> for CloudError {
    fn from(error: StoreError) -> Self {
        Self::Store(Box::new(error))
    }
}
