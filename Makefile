# make demo              the simulator and the gateway together, with sample payouts
# make demo ARGS=--once  the same, and exit 0 when every one is where it should be
# make test              everything that must hold before a change goes in
# make bench             what this machine does per second
# make power-loss        cuts the power of a real filesystem while the store writes (needs root)
# make setup             installs what is missing (the others do it, too)

.PHONY: demo test bench power-loss setup setup-test fmt lint unit doc deny fuzz
.NOTPARALLEL:

export PATH := $(HOME)/.cargo/bin:$(PATH)
export CARGO_TERM_COLOR ?= auto

demo: setup
	cargo run --locked --release --quiet -- demo $(ARGS)

test: setup-test fmt lint unit doc deny fuzz
	@echo "all is well"

bench: setup
	cargo bench --locked --bench gateway -- $(ARGS)

power-loss: setup
	@sh scripts/power-loss.sh $(ARGS)

setup:
	@sh scripts/setup.sh

setup-test:
	@sh scripts/setup.sh test

fmt:
	cargo fmt --check

lint:
	cargo clippy --locked --all-targets -- -D warnings

unit:
	cargo test --locked

doc:
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --document-private-items

deny:
	@sh scripts/deny.sh

# The fuzz targets must build; `cargo fuzz run` needs nightly and is for people.
fuzz:
	@if [ -e fuzz/Cargo.toml ]; then \
		cargo check --locked --manifest-path fuzz/Cargo.toml --target-dir target; \
	fi
