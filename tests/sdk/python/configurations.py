"""Configurations of many devices and deployments on one, by the service SDK."""

from azure.iot.hub import IoTHubConfigurationManager
from azure.iot.hub.models import (
    Configuration,
    ConfigurationContent,
    ConfigurationMetrics,
    ConfigurationQueriesTestInput,
    Twin,
)

from harness import SERVICE, case, equal, http_error, main, new_device, registry, unique, wait


def configurations():
    return IoTHubConfigurationManager.from_connection_string(SERVICE)


def configuration(name, desired=None, target="tags.nobody = 'ever'", priority=10, **members):
    content = ConfigurationContent(device_content=desired or {"properties.desired.chiller": {"temperature": 66}})
    return Configuration(
        id=name,
        schema_version="1.0",
        content=content,
        target_condition=target,
        priority=priority,
        labels={"made-by": "a case"},
        metrics=ConfigurationMetrics(queries={}),
        **members,
    )


def create(name=None, **members):
    return configurations().create_configuration(configuration(name or unique("conf"), **members))


@case
def a_configuration_is_created_and_read():
    name = unique("conf")
    made = create(name)
    equal((made.id, made.priority, made.target_condition), (name, 10, "tags.nobody = 'ever'"))
    assert made.etag and made.created_time_utc, made
    read = configurations().get_configuration(name)
    equal(read.content.device_content, {"properties.desired.chiller": {"temperature": 66}})
    equal(read.labels, {"made-by": "a case"})


@case
def a_configuration_that_exists_is_not_created_again():
    made = create()
    http_error(409, create, made.id, code="ConfigurationAlreadyExists")


@case
def a_configuration_is_updated_by_its_etag():
    made = create()
    changed = configurations().update_configuration(configuration(made.id, priority=20), made.etag)
    equal(changed.priority, 20)
    http_error(412, configurations().update_configuration, configuration(made.id, priority=30), made.etag)


@case
def a_configuration_is_deleted():
    made = create()
    configurations().delete_configuration(made.id)
    http_error(404, configurations().get_configuration, made.id, code="ConfigurationNotFound")


@case
def configurations_are_listed():
    name = create().id
    assert name in [item.id for item in configurations().get_configurations(100)], "it is in the list"


@case
def a_configuration_reaches_the_devices_of_its_target():
    device, tag = new_device().device, unique("tag")
    registry().update_twin(device, Twin(tags={"conf": tag}))
    name = create(target=f"tags.conf = '{tag}'").id
    wait(
        "the desired property",
        lambda: registry().get_twin(device).properties.desired.get("chiller") == {"temperature": 66},
    )
    targeted = wait("metrics", lambda: configurations().get_configuration(name).system_metrics.results)
    equal(targeted["targetedCount"], 1)


@case
def the_higher_priority_wins():
    device, tag = new_device().device, unique("tag")
    target = f"tags.conf = '{tag}'"
    registry().update_twin(device, Twin(tags={"conf": tag}))
    create(target=target, priority=20, desired={"properties.desired.level": "high"})
    create(target=target, priority=5, desired={"properties.desired.level": "low", "properties.desired.other": 1})
    wait("a level", lambda: registry().get_twin(device).properties.desired.get("level") == "high")


@case
def a_deployment_is_applied_to_an_edge_device():
    edge = registry().create_device_with_sas(unique("edge"), None, None, "enabled", iot_edge=True).device_id
    content = ConfigurationContent(
        modules_content={
            "$edgeAgent": {"properties.desired": {"schemaVersion": "1.1", "modules": {"filter": {"version": "1.0"}}}},
            "$edgeHub": {"properties.desired": {"routes": {"up": "FROM /messages/* INTO $upstream"}}},
            "filter": {"properties.desired": {"TemperatureThreshold": 25}},
        }
    )
    configurations().apply_configuration_on_edge_device(edge, content)
    agent = registry().get_module_twin(edge, "$edgeAgent")
    equal(agent.properties.desired["modules"], {"filter": {"version": "1.0"}})
    equal(registry().get_module_twin(edge, "filter").properties.desired["TemperatureThreshold"], 25)


@case
def a_target_is_tested_before_it_is_used():
    query = ConfigurationQueriesTestInput(target_condition="tags.a = ", custom_metric_queries={})
    result = configurations().test_configuration_queries(query)
    assert result.target_condition_error, "an error"
    query.target_condition = "tags.a = 'b'"
    equal(configurations().test_configuration_queries(query).target_condition_error or None, None)


main()
