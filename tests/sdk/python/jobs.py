"""Scheduled jobs, by the service SDK."""

from datetime import datetime, timedelta, timezone

from azure.iot.device import MethodResponse
from azure.iot.hub import IoTHubJobManager
from azure.iot.hub.models import CloudToDeviceMethod, JobRequest, QuerySpecification, Twin, TwinProperties
from msrest.exceptions import DeserializationError

from harness import SERVICE, case, connected, equal, http_error, main, new_device, refused, registry, rest, unique, wait


def jobs():
    return IoTHubJobManager.from_connection_string(SERVICE)


def utc(seconds=0):
    return (datetime.now(timezone.utc) + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def request(name, condition, start=None, **what):
    kind = "scheduleUpdateTwin" if "update_twin" in what else "scheduleDeviceMethod"
    return JobRequest(
        job_id=name,
        type=kind,
        query_condition=condition,
        start_time=start or utc(),
        max_execution_time_in_seconds=60,
        **what,
    )


def schedule(condition, start=None, **what):
    name = unique("job")
    made = jobs().create_scheduled_job(name, request(name, condition, start, **what))
    equal(made.job_id, name)
    assert made.status in ("queued", "enqueued", "scheduled", "running", "completed"), made.status
    return name


def ended(name):
    def look():
        job = jobs().get_scheduled_job(name)
        return job if job.status in ("completed", "failed", "cancelled") else None

    return wait("end of the job", look)


def desired(value):
    return Twin(etag="*", properties=TwinProperties(desired=value))


@case
def a_twin_update_reaches_the_devices_it_names():
    one, two, other = (new_device().device for _ in range(3))
    job = ended(schedule(f"deviceId IN ['{one}', '{two}']", update_twin=desired({"interval": 7})))
    equal(job.status, "completed")
    statistics = job.device_job_statistics
    equal((statistics.device_count, statistics.succeeded_count, statistics.failed_count), (2, 2, 0))
    for device in (one, two):
        equal(registry().get_twin(device).properties.desired["interval"], 7)
    assert "interval" not in registry().get_twin(other).properties.desired, "a device that was not named"


@case
def a_twin_update_chooses_by_tags():
    device, tag = new_device().device, unique("tag")
    registry().update_twin(device, Twin(tags={"job": tag}))
    job = ended(schedule(f"tags.job = '{tag}'", update_twin=Twin(etag="*", tags={"done": True})))
    equal((job.status, job.device_job_statistics.device_count), ("completed", 1))
    equal(registry().get_twin(device).tags, {"job": tag, "done": True})


@case
def a_method_is_invoked_on_connected_devices():
    device, gone = new_device(), new_device()
    with connected(device) as client:

        def handle(request):
            client.send_method_response(MethodResponse.create_from_method_request(request, 200, request.payload))

        client.on_method_request_received = handle
        method = CloudToDeviceMethod(method_name="reboot", payload={"a": 1}, response_timeout_in_seconds=5)
        condition = f"deviceId IN ['{device.device}', '{gone.device}']"
        job = ended(schedule(condition, cloud_to_device_method=method))
        statistics = job.device_job_statistics
        equal((statistics.device_count, statistics.succeeded_count, statistics.failed_count), (2, 1, 1))


@case
def a_job_for_later_waits_and_is_cancelled():
    device = new_device().device
    name = schedule(f"deviceId = '{device}'", utc(3600), update_twin=desired({"late": 1}))
    assert jobs().get_scheduled_job(name).status in ("queued", "scheduled"), jobs().get_scheduled_job(name).status
    jobs().cancel_scheduled_job(name)
    equal(ended(name).status, "cancelled")
    assert "late" not in registry().get_twin(device).properties.desired, "nothing was changed"


@case
def a_job_s_name_is_used_once():
    device = new_device().device
    name = schedule(f"deviceId = '{device}'", update_twin=desired({"a": 1}))
    again = request(name, f"deviceId = '{device}'", update_twin=desired({"a": 2}))
    http_error(409, jobs().create_scheduled_job, name, again, code="JobAlreadyExists")


@case
def an_unknown_job_is_not_found():
    http_error(404, jobs().get_scheduled_job, unique("job"), code="JobNotFound")


@case
def the_list_of_jobs_is_azure_s_array_which_this_sdk_cannot_read():
    device = new_device().device
    name = schedule(f"deviceId = '{device}'", update_twin=desired({"a": 1}))
    ended(name)
    # Azure answers with an array, as the SDKs for Node and C# read it. This one expects an object
    # around it, as it did for `query_iot_hub` until Azure/azure-iot-sdk-python#423 was mended.
    refused(DeserializationError, jobs().query_scheduled_jobs, "scheduleUpdateTwin", "completed")
    listed = rest("GET", "/jobs/v2/query?jobType=scheduleUpdateTwin&jobStatus=completed")
    equal((listed.status_code, listed.headers["x-ms-item-type"]), (200, "JobResponse"))
    ids = [job["jobId"] for job in listed.json()]
    assert name in ids, ids


@case
def each_device_s_part_of_a_job_is_found_by_a_query():
    device = new_device().device
    name = schedule(f"deviceId = '{device}'", update_twin=desired({"a": 1}))
    ended(name)
    text = f"SELECT * FROM devices.jobs WHERE devices.jobs.jobId = '{name}'"
    rows = wait("the device's part", lambda: registry().query_iot_hub(QuerySpecification(query=text)).items)
    equal(rows[0].device_id, device)
    equal(rows[0].additional_properties["jobId"], name)


main()
