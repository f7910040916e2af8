//! The journal sizes that `ringlane tune disk` has chosen for the data directories: they stand in for the defaults, and what an
//! operator sets wins. A file that cannot be used is a warning, never a reason not to start.

use ringlane_tuning::disk;

use super::BrokerConfig;
use super::load::Loaded;

const FILE_BYTES: &str = "ringlane.journal.file.bytes";
const FILES: &str = "ringlane.journal.files";

impl Loaded {
    /// Takes the journal sizes from the texts of the data directories' `ringlane-disk.toml`, each with its place; `Err` where
    /// it could not be read. The sizes are one setting for all directories, so the smallest of each counts: a journal that is
    /// larger than its disk needs costs space, a smaller one a few rounds of checkpoints more. Answers the places from which
    /// any was taken.
    pub fn take_disk_profiles(
        &mut self,
        found: Vec<(String, Result<String, String>)>,
    ) -> Vec<String> {
        let (mut sizes, mut places) = (None, Vec::new());
        for (place, text) in found {
            let measured = text.and_then(|text| disk::parse(&text));
            match measured.and_then(|measured| self.allowed(measured).map(|_| measured)) {
                Ok((bytes, files)) => {
                    let (least, fewest) = sizes.unwrap_or((bytes, files));
                    sizes = Some((bytes.min(least), files.min(fewest)));
                    places.push(place);
                }
                Err(why) => self.warnings.push(format!(
                    "{place} is not used: {why}; measure again with `ringlane tune disk`, or remove it"
                )),
            }
        }
        let Some(config) = sizes.and_then(|sizes| self.allowed(sizes).ok()) else {
            return Vec::new();
        };
        self.config = config;
        let are_given = [FILE_BYTES, FILES].iter().all(|key| self.given.contains(*key));
        if are_given { Vec::new() } else { places }
    }

    /// The settings with these sizes where they are not given. Both or neither: one alone was not chosen for the other's default.
    fn allowed(&self, (file_bytes, files): (i64, i64)) -> Result<BrokerConfig, String> {
        let mut config = self.config.clone();
        for (key, value) in [(FILE_BYTES, file_bytes), (FILES, files)] {
            // Checked also where it is not needed: a file that is wrong in one is not to be trusted in the other.
            let before = config.show(key).unwrap_or_default();
            config.set(key, &value.to_string()).map_err(|allowed| {
                format!("{key}={value}: {}", allowed.unwrap_or_else(|| "no setting".into()))
            })?;
            if self.given.contains(key) {
                config.set(key, &before).map_err(|_| format!("{key} cannot keep its value"))?;
            }
        }
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    use crate::config::{Loaded, load};

    fn profile(file_bytes: &str, files: &str) -> String {
        format!("version = 1\n[journal]\nfile_bytes = {file_bytes}\nfiles = {files}\n")
    }

    /// Takes one file's text.
    fn take(loaded: &mut Loaded, text: Result<String, String>) -> bool {
        !loaded.take_disk_profiles(vec![("d/f".to_owned(), text)]).is_empty()
    }

    fn sizes(loaded: &Loaded) -> (i32, i32) {
        (loaded.config.journal_file_bytes, loaded.config.journal_files)
    }

    #[test]
    fn measured_sizes_stand_in_for_defaults() {
        let mut loaded = load(None, &[]).expect("defaults");
        assert!(take(&mut loaded, Ok(profile("33554432", "6"))));
        assert_eq!(sizes(&loaded), (32 << 20, 6));
        assert_eq!(loaded.warnings, [""; 0]);
    }

    #[test]
    fn what_is_set_wins() {
        let file = "ringlane.journal.files=3\n";
        let mut loaded = load(Some(("f", file)), &[]).expect("good");
        assert!(take(&mut loaded, Ok(profile("33554432", "6"))));
        assert_eq!(sizes(&loaded), (32 << 20, 3));
        let arguments = ["ringlane.journal.file.bytes=1048576".to_owned()];
        let mut loaded = load(Some(("f", file)), &arguments).expect("good");
        assert!(!take(&mut loaded, Ok(profile("33554432", "6"))));
        assert_eq!(sizes(&loaded), (1 << 20, 3));
    }

    #[test]
    fn a_bad_profile_is_a_warning_and_changes_nothing() {
        let bad = [
            Ok(profile("33554432", "1")),
            Ok(profile("-5", "4")),
            Ok(profile("99999999999", "4")),
            Ok("not TOML".into()),
            Err("permission denied".to_owned()),
        ];
        for text in bad {
            let mut loaded = load(None, &[]).expect("defaults");
            let before = loaded.config.clone();
            assert!(!take(&mut loaded, text));
            assert_eq!(loaded.config, before);
            let [warning] = loaded.warnings.as_slice() else { panic!("one warning") };
            assert!(
                warning.starts_with("d/f is not used: ") && warning.contains("tune disk"),
                "{warning}"
            );
        }
    }

    #[test]
    fn of_several_directories_the_smallest_sizes_count() {
        let mut loaded = load(None, &[]).expect("defaults");
        let found = vec![
            ("a".to_owned(), Ok(profile("134217728", "6"))),
            ("b".to_owned(), Ok("not TOML".to_owned())),
            ("c".to_owned(), Ok(profile("33554432", "8"))),
        ];
        assert_eq!(loaded.take_disk_profiles(found), ["a", "c"]);
        assert_eq!(sizes(&loaded), (32 << 20, 6));
        let [warning] = loaded.warnings.as_slice() else { panic!("one warning") };
        assert!(warning.starts_with("b is not used: "), "{warning}");
    }
}
