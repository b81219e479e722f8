# SPDX-License-Identifier: Apache-2.0
import uuid
from dataclasses import replace

import pytest

from understudy.contracts.errors import RightsError
from understudy.packs.bom import serial_number
from understudy.packs.consent import consent_reason, require_consent
from understudy.packs.pack import open_pack
from understudy.packs.rights import rights_facts
from unit.packs.pack_folders import make_pack
from unit.packs.policies import policy


def info_with(tmp_path, *, role="upscale", **rights):
    info = open_pack(make_pack(tmp_path / "mine")).info()
    return replace(info, role=role, manifest={**info.manifest, "rights": {**info.manifest["rights"], **rights}})


def test_facts_of_a_classical_pack(tmp_path):
    facts = rights_facts(info_with(tmp_path, generative="no"), policy())
    assert (facts.license, facts.training_basis, facts.learned, facts.generative) == ("Apache-2.0", "none", False, "no")
    assert facts.badge == "amber"
    assert facts.mlbom_serial == serial_number(facts.pin.sha256)


def test_what_an_engine_does_not_tell_is_the_worst(tmp_path):
    info = replace(info_with(tmp_path), manifest={}, badge="", badge_reasons=())
    facts = rights_facts(info)
    assert (facts.badge, facts.license, facts.learned, facts.generative) == ("red", "NOASSERTION", True, "unknown")
    assert facts.badge_reasons


def test_the_serial_number_is_the_digests():
    first, second = serial_number("ab" * 32), serial_number("ab" * 31 + "ac")
    assert first == serial_number("ab" * 32) != second
    assert uuid.UUID(first).version == 5


@pytest.mark.parametrize(
    ("role", "said", "needs"),
    [
        ("upscale", "no", ""),
        ("upscale", "yes", "invents content"),
        ("upscale", "unknown", "does not say"),
        ("motion", "no", ""),
        ("relight", "no", "new light"),
        ("relight", "yes", "invents content"),
    ],
)
def test_consent_is_needed_for_invention_and_for_new_light(tmp_path, role, said, needs):
    info = info_with(tmp_path, role=role, generative=said)
    assert needs in consent_reason(info)
    assert bool(consent_reason(info)) == bool(needs)
    packs = {"plain": info_with(tmp_path / "b", generative="no"), "node": info}
    require_consent(packs, talent=False, consent=())
    require_consent(packs, talent=True, consent=("consent-17",))
    if needs:
        with pytest.raises(RightsError, match=needs) as caught:
            require_consent(packs, talent=True, consent=(" ",))
        assert caught.value.where == "nodes.node"
    else:
        require_consent(packs, talent=True, consent=())
