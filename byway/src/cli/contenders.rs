//! Who runs in `byway bench peers`: ours, and who else can do the same work on the same device.

use byway::Uri;
use byway_bench::job::{JobSpec, RunSpec};
use byway_bench::peers::{
    CEILING_NAME, Choice, Contender, LIBISCSI_NAME, Unit, fio_contenders, from_byway, from_ceiling,
    libiscsi_contender,
};
use byway_engine::block::DeviceInfo;

use super::failure::Failure;
use super::words::WordArgs;

/// Ours on the same unit without its options, to tell what digests cost.
const PLAIN_NAME: &str = "byway-plain";

/// Where the work is done.
pub(crate) enum Place {
    /// A file or block device with direct I/O.
    File(std::path::PathBuf),
    /// A logical unit, without options, and whether options were given.
    Unit { url: String, has_options: bool },
}

impl Place {
    /// # Errors
    /// For a device that no peer can open in the same way.
    pub(crate) fn of(text: &str) -> Result<Place, Failure> {
        let uri: Uri = text.parse()?;
        match uri {
            Uri::File { path, direct: true, .. } => Ok(Place::File(path)),
            Uri::Iscsi(ref unit) if unit.user.is_none() && unit.portals.len() == 1 => {
                let (url, options) = text.split_once('?').unwrap_or((text, ""));
                Ok(Place::Unit { url: url.into(), has_options: !options.is_empty() })
            }
            _ => Err(Failure::usage(format!(
                "'{uri}': the peers only know files and block devices with direct I/O, and LUNs \
                of one portal without CHAP; use file:/path or iscsi://HOST:PORT/IQN/LUN"
            ))),
        }
    }
}

/// The peers for the first job of `spec`; `only` those where named.
pub(crate) fn peers(
    place: &Place,
    words: &WordArgs,
    spec: &RunSpec,
    info: &DeviceInfo,
    only: &[String],
) -> Result<Vec<Choice>, Failure> {
    let is_wanted = |name: &str| only.is_empty() || only.iter().any(|wanted| wanted == name);
    let mut peers = match place {
        Place::File(path) => fio_contenders(spec, path, info.size)?,
        Place::Unit { url, has_options } => {
            let unit = Unit { url, block_len: info.block_len, size: info.size };
            let wanted = is_wanted(LIBISCSI_NAME);
            let theirs = if wanted { libiscsi_contender(spec, &unit)? } else { None };
            let plain = has_options.then(|| ours(PLAIN_NAME, url, words)).transpose()?;
            theirs.into_iter().chain(plain).map(single).collect()
        }
    };
    peers.extend(ceiling(spec, place, info.size)?);
    peers.retain(|choice| is_wanted(&choice.name));
    match peers.is_empty() {
        true => Err(Failure::usage("no peer can do this work; try --rw randread without --only")),
        false => Ok(peers),
    }
}

fn single(contender: Contender) -> Choice {
    Choice { name: contender.name.clone(), candidates: vec![contender] }
}

pub(crate) fn this_program() -> Result<String, Failure> {
    let path = std::env::current_exe().map_err(|error| {
        Failure::failed(format!("this program: {error}; start it by its full path"))
    })?;
    Ok(path.display().to_string())
}

pub(crate) fn version() -> String {
    format!("{} ({})", env!("CARGO_PKG_VERSION"), byway_bench::machine::GIT_HASH)
}

/// Ours on `uri`.
pub(crate) fn ours(name: &str, uri: &str, words: &WordArgs) -> Result<Contender, Failure> {
    let mut args: Vec<String> = ["bench", "run", uri].map(str::to_owned).into();
    args.extend(words.as_args());
    args.extend(["--json", "-"].map(str::to_owned));
    let program = this_program()?;
    Ok(Contender {
        name: name.into(),
        version: version(),
        program,
        args,
        read: from_byway,
        server: None,
    })
}

/// The smallest loop, for the one kind of work that it does: random reads of the whole device, and
/// on a LUN random writes too.
fn ceiling(spec: &RunSpec, place: &Place, size: u64) -> Result<Option<Choice>, Failure> {
    let [job] = &spec.jobs[..] else { return Ok(None) };
    let whole = job.range(size) == size && job.zipf.is_none() && job.rate.is_none();
    let is_unit = matches!(place, Place::Unit { .. });
    let knows = match job.pattern.word() {
        "randread" => true,
        "randwrite" => is_unit && !job.fua,
        _ => false,
    };
    if !knows || job.jobs != 1 || !whole {
        return Ok(None);
    }
    let program = this_program()?;
    let candidates = batches(job.qd, is_unit).into_iter().map(|batch| Contender {
        name: CEILING_NAME.into(),
        version: version(),
        program: program.clone(),
        args: ceiling_args(spec, job, place, batch),
        read: from_ceiling,
        server: None,
    });
    Ok(Some(Choice { name: CEILING_NAME.into(), candidates: candidates.collect() }))
}

/// Completions to wait for that are worth a trial; more than half of a LUN's make it wait in vain.
fn batches(qd: u32, is_unit: bool) -> Vec<u32> {
    let mut batches = match is_unit {
        true => vec![1, qd.div_ceil(4), qd.div_ceil(2)],
        false => vec![1, qd.div_ceil(2), qd],
    };
    batches.dedup();
    batches
}

fn ceiling_args(spec: &RunSpec, job: &JobSpec, place: &Place, batch: u32) -> Vec<String> {
    let (kind, place) = match place {
        Place::File(path) => ("uring", path.display().to_string()),
        Place::Unit { url, .. } => ("iscsi", url.clone()),
    };
    let mut args = vec!["bench".into(), "ceiling".into(), kind.into(), place];
    let mut add = |key: &str, word: String| args.extend([format!("--{key}"), word]);
    add("qd", job.qd.to_string());
    add("bs", job.bs.to_string());
    add("runtime", format!("{}ms", spec.runtime_ns / 1_000_000));
    add("batch", batch.to_string());
    if let Some(core) = job.cores.first() {
        add("core", core.to_string());
    }
    if job.pattern.writes() {
        args.push("--write".into());
    }
    args
}

#[cfg(test)]
mod tests {
    use byway_bench::job::JobWords;

    use super::*;

    fn spec(pairs: &[(&str, &str)]) -> RunSpec {
        let mut words = JobWords::default();
        pairs.iter().for_each(|(key, word)| words.set(key, *word).unwrap());
        RunSpec::parse(&words, &[]).unwrap()
    }

    #[test]
    fn a_lun_is_compared_without_its_options() {
        let Ok(Place::Unit { url, has_options }) =
            Place::of("iscsi://127.0.0.1:3261/iqn.2026-01.org.byway:disk/0?digest=all")
        else {
            panic!()
        };
        assert_eq!(url, "iscsi://127.0.0.1:3261/iqn.2026-01.org.byway:disk/0");
        assert!(has_options);
        for other in ["mem:1g", "file:/x?direct=off", "iscsi://a,b/iqn.2026-01.org.byway:disk/0"] {
            assert!(Place::of(other).is_err(), "{other}");
        }
    }

    #[test]
    fn the_ceiling_of_a_lun_writes_too() {
        let unit =
            Place::Unit { url: "iscsi://a:1/iqn.2026-01.org.b:c/0".into(), has_options: false };
        let words = [("rw", "randwrite"), ("cores", "1"), ("runtime", "1s")];
        let choice = ceiling(&spec(&words), &unit, 1 << 30).unwrap().unwrap();
        assert_eq!(choice.candidates.len(), 3);
        assert!(choice.candidates[2].command().ends_with(
            "bench ceiling iscsi iscsi://a:1/iqn.2026-01.org.b:c/0 --qd 32 --bs 4096 \
             --runtime 1000ms --batch 16 --core 1 --write"
        ));
        let file = Place::File("/x".into());
        assert!(ceiling(&spec(&words), &file, 1 << 30).unwrap().is_none());
    }
}
