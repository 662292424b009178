"""What Azure has and this cloud has not: refused by name, and never as if it had been done."""

from azure.iot.hub import DigitalTwinClient, IoTHubJobManager

from harness import SERVICE, case, connected, http_error, main, new_device, refused


@case
def digital_twins_are_refused_by_name():
    client = DigitalTwinClient.from_connection_string(SERVICE)
    text = http_error(501, client.get_digital_twin, new_device().device, code="NotSupported")
    assert "digital twins" in text, text


@case
def import_and_export_jobs_are_refused_by_name():
    manager = IoTHubJobManager.from_connection_string(SERVICE)
    text = http_error(501, manager.get_import_export_jobs, code="NotSupported")
    assert "import or export" in text, text


@case
def a_file_upload_is_refused():
    with connected(new_device()) as client:
        error = refused(Exception, client.get_storage_info_for_blob, "picture.png")
        assert "501" in repr(error.__cause__ or error), repr((error, error.__cause__))


main()
