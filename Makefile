# make demo              the simulator and the gateway together, with sample payouts
# make demo ARGS=--once  the same, and exit 0 when every one is where it should be
# make test              everything that must hold before a change goes in
# make bench             what this machine does per second
# make soak              the whole gateway against every fault, a million payouts (docs/safety.md)
# make foreign           programs that nobody here wrote, pointed at us (docs/foreign-clients.md)
# make vpn               the link cut, slow, lossy and closed one way, in network namespaces (needs root)
# make planted           bugs, planted on purpose: which layer of the proof catches each
# make mutants           every single change to the domain and the engine: is it caught?
# make power-loss        cuts the power of a real filesystem while the store writes (needs root)
# make deb               a Debian package (needs cargo-deb: cargo install cargo-deb)
# make setup             installs what is missing (the others do it, too)

# The long ones are not part of `test`.
# `test` runs vpn, too, where it can.
.PHONY: demo test bench soak vpn planted mutants power-loss deb setup setup-test fmt lint unit foreign doc deny fuzz
.NOTPARALLEL:

export PATH := $(HOME)/.cargo/bin:$(PATH)
export CARGO_TERM_COLOR ?= auto

demo: setup
	cargo run --locked --release --quiet -- demo $(ARGS)

test: setup-test fmt lint unit foreign doc deny fuzz
	@echo "all is well"

bench: setup
	cargo bench --locked --bench gateway -- $(ARGS)

soak: setup
	MLANGO_SEEDS=$${MLANGO_SEEDS:-25000} MLANGO_PAYOUTS=$${MLANGO_PAYOUTS:-40} \
		cargo test --locked --release --test whole the_book -- --nocapture

vpn: setup-test
	MLANGO_VPN=require cargo test --locked --test vpn

foreign: setup-test
	@sh scripts/foreign.sh $(ARGS)

planted: setup
	@sh scripts/planted.sh $(ARGS)

mutants: setup
	@sh scripts/mutants.sh $(ARGS)

power-loss: setup
	@sh scripts/power-loss.sh $(ARGS)

deb: setup
	cargo deb --locked

setup:
	@sh scripts/setup.sh

setup-test:
	@sh scripts/setup.sh test

fmt:
	cargo fmt --check

lint:
	cargo clippy --locked --all-targets -- -D warnings

unit:
	MLANGO_BROWSER=require cargo test --locked

doc:
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --document-private-items

deny:
	@sh scripts/deny.sh

# The fuzz targets must build; `cargo fuzz run` needs nightly and is for people.
fuzz:
	@if [ -e fuzz/Cargo.toml ]; then \
		cargo check --locked --manifest-path fuzz/Cargo.toml --target-dir target; \
	fi
