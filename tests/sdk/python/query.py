"""Queries over twins, by the service SDK. It makes a twin of every row, whatever was selected."""

from azure.iot.hub.models import QuerySpecification, Twin, TwinProperties

from harness import Identity, case, connected, equal, http_error, main, new_device, new_module, registry, rest
from harness import unique, wait


def query(text, token=None, count=None):
    return registry().query_iot_hub(QuerySpecification(query=text), token, count)


def names(text):
    """The devices on every page."""
    page = query(text)
    found = list(page.items)
    while page.continuation_token:
        page = query(text, page.continuation_token)
        found += page.items
    return sorted(twin.device_id for twin in found)


def devices(*twins):
    """Devices with these tags and desired properties, and a tag that nobody else has."""
    group = unique("group")
    made = []
    for tags, desired in twins:
        device = new_device()
        twin = Twin(tags={"group": group, **tags}, properties=TwinProperties(desired=desired))
        registry().update_twin(device.device, twin)
        made.append(device.device)
    # Queries may lag behind what was written.
    wait("the new devices", lambda: len(names(f"SELECT * FROM devices WHERE tags.group = '{group}'")) == len(twins))
    return group, made


@case
def all_devices_are_selected():
    device = new_device().device
    wait("the new device", lambda: device in names("SELECT * FROM devices"))
    equal(query("SELECT * FROM devices").type, "Twin")


@case
def a_device_is_selected_by_its_id():
    group, (one, _) = devices(({}, {}), ({}, {}))
    equal(names(f"SELECT * FROM devices WHERE deviceId = '{one}'"), [one])


@case
def devices_are_selected_by_tags():
    group, (one, two, three) = devices(
        ({"site": {"floor": 1}}, {}), ({"site": {"floor": 2}}, {}), ({"site": {"floor": 3}}, {})
    )
    where = f"SELECT * FROM devices WHERE tags.group = '{group}' AND"
    equal(names(f"{where} tags.site.floor >= 2"), sorted([two, three]))
    equal(names(f"{where} (tags.site.floor = 1 OR tags.site.floor = 3)"), sorted([one, three]))
    equal(names(f"{where} NOT tags.site.floor = 1"), sorted([two, three]))
    equal(names(f"{where} tags.site.floor IN [1, 2]"), sorted([one, two]))
    equal(names(f"{where} tags.site.floor NIN [1, 2]"), [three])


@case
def devices_are_selected_by_desired_and_reported_properties():
    group, (one, two) = devices(({}, {"interval": 5}), ({}, {"interval": 50}))
    where = f"SELECT * FROM devices WHERE tags.group = '{group}' AND"
    equal(names(f"{where} properties.desired.interval < 10"), [one])
    device = registry().get_device(two)
    with connected(Identity(two, device.authentication.symmetric_key.primary_key)) as client:
        client.patch_twin_reported_properties({"fw": "1.0"})
        wait("reported", lambda: names(f"{where} properties.reported.fw = '1.0'") == [two])
        wait("connected", lambda: names(f"{where} connectionState = 'Connected'") == [two])


@case
def is_defined_finds_what_is_there():
    group, (one, two) = devices(({"a": 1}, {}), ({}, {}))
    where = f"SELECT * FROM devices WHERE tags.group = '{group}' AND"
    equal(names(f"{where} is_defined(tags.a)"), [one])
    equal(names(f"{where} NOT is_defined(tags.a)"), [two])


@case
def disabled_devices_are_found():
    device = new_device("disabled").device
    wait("it", lambda: names(f"SELECT * FROM devices WHERE status = 'disabled' AND deviceId = '{device}'") == [device])


@case
def devices_are_counted():
    group, _ = devices(({}, {}), ({}, {}), ({}, {}))
    result = query(f"SELECT COUNT() AS numberOfDevices FROM devices WHERE tags.group = '{group}'")
    equal(result.items[0].additional_properties, {"numberOfDevices": 3})
    equal(result.type, "Raw")


@case
def columns_are_chosen_and_renamed():
    group, (one,) = devices(({"floor": 4}, {"interval": 5}))
    text = f"SELECT deviceId, tags.floor AS level FROM devices WHERE tags.group = '{group}'"
    row = query(text).items[0]
    equal((row.device_id, row.additional_properties), (one, {"level": 4}))


@case
def rows_are_grouped_and_aggregated():
    group, _ = devices(({"kind": "a"}, {"n": 1}), ({"kind": "a"}, {"n": 3}), ({"kind": "b"}, {"n": 5}))
    text = (
        "SELECT tags.kind AS kind, COUNT() AS count, SUM(properties.desired.n) AS sum, AVG(properties.desired.n) AS avg,"
        " MIN(properties.desired.n) AS min, MAX(properties.desired.n) AS max"
        f" FROM devices WHERE tags.group = '{group}' GROUP BY tags.kind"
    )
    rows = {row.additional_properties["kind"]: row.additional_properties for row in query(text).items}
    equal(rows["a"], {"kind": "a", "count": 2, "sum": 4, "avg": 2, "min": 1, "max": 3})
    equal(rows["b"]["count"], 1)


@case
def long_results_come_in_pages():
    group, made = devices(*(({}, {}) for _ in range(7)))
    text = f"SELECT * FROM devices WHERE tags.group = '{group}'"
    seen, token, pages = [], None, 0
    while True:
        page = query(text, token, 3)
        assert len(page.items) <= 3, len(page.items)
        seen += [twin.device_id for twin in page.items]
        pages += 1
        token = page.continuation_token
        if not token:
            break
    equal((sorted(seen), pages), (sorted(made), 3))


@case
def top_limits_the_rows():
    group, _ = devices(({}, {}), ({}, {}), ({}, {}))
    equal(len(query(f"SELECT TOP 2 * FROM devices WHERE tags.group = '{group}'").items), 2)


@case
def modules_are_selected():
    module = new_module()
    text = f"SELECT * FROM devices.modules WHERE deviceId = '{module.device}'"
    rows = wait("the module", lambda: query(text).items)
    equal([(row.device_id, row.module_id) for row in rows], [(module.device, module.module)])
    equal(names(f"{text} AND moduleId = 'nothing'"), [])


@case
def text_with_quotes_is_found():
    group, (one,) = devices(({"said": "it's \"so\""}, {}))
    equal(names(f"SELECT * FROM devices WHERE tags.group = '{group}' AND tags.said = 'it\\'s \"so\"'"), [one])


@case
def a_query_that_is_none_is_refused():
    for text in ("SELEKT * FROM devices", "SELECT * FROM nowhere", "SELECT * FROM devices WHERE tags.a ="):
        http_error(400, query, text)


@case
def the_kind_of_rows_stands_in_the_header():
    response = rest("POST", "/devices/query", {"query": "SELECT TOP 1 * FROM devices"})
    equal((response.status_code, response.headers.get("x-ms-item-type")), (200, "Twin"))


main()
