//! The journal sizes that `ringlane tune disk` has chosen for a data directory: they stand in for the defaults, and what an
//! operator sets wins. A file that cannot be used is a warning, never a reason not to start.

use ringlane_tuning::disk;

use super::load::Loaded;

const FILE_BYTES: &str = "ringlane.journal.file.bytes";
const FILES: &str = "ringlane.journal.files";

impl Loaded {
    /// Takes the journal sizes from the text of `place`, a data directory's `ringlane-disk.toml`; `Err` where it could not
    /// be read. Answers whether any was taken.
    pub fn take_disk_profile(&mut self, place: &str, text: Result<&str, String>) -> bool {
        match text.and_then(disk::parse).and_then(|sizes| self.take_sizes(sizes)) {
            Ok(taken) => taken,
            Err(why) => {
                self.warnings.push(format!(
                    "{place} is not used: {why}; measure again with `ringlane tune disk`, or remove it"
                ));
                false
            }
        }
    }

    /// Both or neither: one alone was not chosen for the other's default.
    fn take_sizes(&mut self, (file_bytes, files): (i64, i64)) -> Result<bool, String> {
        let mut config = self.config.clone();
        let mut taken = false;
        for (key, value) in [(FILE_BYTES, file_bytes), (FILES, files)] {
            // Checked also where it is not needed: a file that is wrong in one is not to be trusted in the other.
            let before = config.show(key).unwrap_or_default();
            config.set(key, &value.to_string()).map_err(|allowed| {
                format!("{key}={value}: {}", allowed.unwrap_or_else(|| "no setting".into()))
            })?;
            if self.given.contains(key) {
                config.set(key, &before).map_err(|_| format!("{key} cannot keep its value"))?;
            } else {
                taken = true;
            }
        }
        self.config = config;
        Ok(taken)
    }
}

#[cfg(test)]
mod tests {
    use crate::config::{Loaded, load};

    fn profile(file_bytes: &str, files: &str) -> String {
        format!("version = 1\n[journal]\nfile_bytes = {file_bytes}\nfiles = {files}\n")
    }

    fn sizes(loaded: &Loaded) -> (i32, i32) {
        (loaded.config.journal_file_bytes, loaded.config.journal_files)
    }

    #[test]
    fn measured_sizes_stand_in_for_defaults() {
        let mut loaded = load(None, &[]).expect("defaults");
        assert!(loaded.take_disk_profile("d/f", Ok(&profile("33554432", "6"))));
        assert_eq!(sizes(&loaded), (32 << 20, 6));
        assert_eq!(loaded.warnings, [""; 0]);
    }

    #[test]
    fn what_is_set_wins() {
        let file = "ringlane.journal.files=3\n";
        let mut loaded = load(Some(("f", file)), &[]).expect("good");
        assert!(loaded.take_disk_profile("d/f", Ok(&profile("33554432", "6"))));
        assert_eq!(sizes(&loaded), (32 << 20, 3));
        let arguments = ["ringlane.journal.file.bytes=1048576".to_owned()];
        let mut loaded = load(Some(("f", file)), &arguments).expect("good");
        assert!(!loaded.take_disk_profile("d/f", Ok(&profile("33554432", "6"))));
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
            assert!(!loaded.take_disk_profile("d/f", text.as_deref().map_err(Clone::clone)));
            assert_eq!(loaded.config, before);
            let [warning] = loaded.warnings.as_slice() else { panic!("one warning") };
            assert!(
                warning.starts_with("d/f is not used: ") && warning.contains("tune disk"),
                "{warning}"
            );
        }
    }
}
