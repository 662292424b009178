"""The Edge filter tutorial's two modules on Microsoft's device SDK, in one process.

The files of their connection strings, `tempSensor`'s and `filterModule`'s, are the arguments. The sensor
measures the same few temperatures over and over; what the filter does is told on standard output, one
JSON object a line. They end when standard input is closed.
"""

import itertools
import json
import sys
import threading

from azure.iot.device import IoTHubModuleClient, Message

TEMPERATURES = (20, 30, 25, 40)
PERIOD = 0.05
THRESHOLD = "TemperatureThreshold"
TELLING = threading.Lock()


def tell(event, **fields):
    # The SDK calls back from threads of its own; a line must not be torn by another.
    with TELLING:
        sys.stdout.write(json.dumps({"event": event, **fields}) + "\n")
        sys.stdout.flush()


def module(path):
    with open(path, encoding="ascii") as file:
        client = IoTHubModuleClient.create_from_connection_string(file.read().strip())
    client.connect()
    return client


def telemetry(body):
    return Message(json.dumps(body), content_encoding="utf-8", content_type="application/json")


def main():
    sensor, filter_module = module(sys.argv[1]), module(sys.argv[2])
    threshold = filter_module.get_twin()["desired"][THRESHOLD]

    def turn(patch):
        nonlocal threshold
        threshold = patch.get(THRESHOLD, threshold)
        tell("threshold", value=threshold)

    def hear(message):
        reading = json.loads(message.data)
        temperature = reading["machine"]["temperature"]
        passes = temperature > threshold
        if passes:
            alert = telemetry(reading)
            alert.custom_properties["MessageType"] = "Alert"
            filter_module.send_message_to_output(alert, "output1")
        tell("heard", input=message.input_name, temperature=temperature, passes=passes)

    filter_module.on_twin_desired_properties_patch_received = turn
    filter_module.on_message_received = hear
    tell("connected", threshold=threshold)
    over = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), over.set()), daemon=True).start()
    for temperature in itertools.cycle(TEMPERATURES):
        if over.wait(PERIOD):
            break
        reading = telemetry({"machine": {"temperature": temperature, "pressure": 2}})
        sensor.send_message_to_output(reading, "temperatureOutput")
    sensor.shutdown()
    filter_module.shutdown()
    tell("disconnected")


main()
