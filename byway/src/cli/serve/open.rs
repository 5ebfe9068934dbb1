//! Opens what a configuration names. Opening blocks, so a running daemon does it on another thread.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use byway::daemon::config::{Config, ExportSection, TargetSection};
use byway::{OpenOptions, open_with};
use byway_engine::block::BlockDevice;
use byway_engine::core::Core;
use byway_engine::error::SetupError;
use byway_export::iscsi::TargetConfig;
use byway_export::nbd::tls::TlsConfig;
use byway_proto::iscsi::text::IscsiName;

use crate::cli::node::{self, NodeWords};

/// Devices that are open, by the names of their exports.
pub(super) type Devices = BTreeMap<String, Arc<dyn BlockDevice>>;

/// What is open before anything is served.
pub(super) struct Opened {
    pub(super) devices: Devices,
    pub(super) targets: Vec<TargetPlan>,
    pub(super) tls: Option<TlsConfig>,
}

/// A target whose devices are open, for whichever core will run it.
pub(super) struct TargetPlan {
    section: TargetSection,
    initiators: Vec<IscsiName>,
    devices: Vec<Arc<dyn BlockDevice>>,
}

impl Opened {
    /// Opens everything.
    pub(super) fn open(config: &Config) -> Result<Opened, SetupError> {
        let targets = config.targets.iter().map(TargetPlan::open).collect::<Result<_, _>>()?;
        let tls = config.tls.as_ref().map(|at| TlsConfig::from_files(&at.value)).transpose()?;
        Ok(Opened { devices: devices(&config.exports)?, targets, tls })
    }
}

/// Opens the devices of exports.
pub(super) fn devices(exports: &[ExportSection]) -> Result<Devices, SetupError> {
    let open = |export: &ExportSection| {
        let wanted = OpenOptions { read_only: export.read_only };
        Ok((export.name.clone(), open_with(&export.uri.value, wanted)?))
    };
    exports.iter().map(open).collect()
}

impl TargetPlan {
    fn open(section: &TargetSection) -> Result<TargetPlan, SetupError> {
        let name = |word: &String| {
            IscsiName::new(word).map_err(|error| {
                SetupError::new(word, error.to_string(), "write iqn.YYYY-MM.domain:name")
            })
        };
        let initiators = section.initiators.iter().map(name).collect::<Result<_, _>>()?;
        let section = section.clone();
        let mut plan = TargetPlan { section, initiators, devices: Vec::new() };
        plan.devices = node::open(&plan.words())?;
        Ok(plan)
    }

    fn words(&self) -> NodeWords<'_> {
        let section = &self.section;
        NodeWords {
            name: &section.name,
            portals: section.portals.iter().map(|portal| portal.value.clone()).collect(),
            luns: section.luns.iter().map(|lun| lun.value.clone()).collect(),
            read_only: section.read_only,
            digest: section.digest,
            initiators: self.initiators.clone(),
            chap: section.chap.as_ref().map(|(user, file)| (user.as_str(), file.value.as_path())),
            mutual: section.mutual.as_ref().map(|file| file.value.as_path()),
            state: section.state.as_ref().map(|folder| folder.value.as_path()),
        }
    }

    /// The target as the core that runs it has it.
    pub(super) fn config(&self, core: &Rc<Core>) -> Result<TargetConfig, SetupError> {
        node::config(&self.words(), self.devices.clone(), core)
    }

    pub(super) fn name(&self) -> &str {
        &self.section.name
    }
}
