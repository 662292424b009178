"""Messages to devices over AMQP, by the service SDK. It knows no other port than 5671."""

from harness import case, connected, equal, main, new_device, refused, registry, unique, wait


@case
def a_message_is_sent_with_its_properties():
    device = new_device()
    with connected(device) as client:
        messages = []
        client.on_message_received = messages.append
        properties = {"messageId": "m1", "correlationId": "c1", "contentType": "text/plain", "a": "b"}
        registry().send_c2d_message(device.device, "hello, äöü", properties=properties)
        message = wait("message", lambda: messages)[0]
        equal(message.data.decode(), "hello, äöü")
        equal((message.message_id, message.correlation_id, message.content_type), ("m1", "c1", "text/plain"))
        equal(message.custom_properties, {"a": "b"})


@case
def many_messages_go_over_one_connection():
    device, manager = new_device(), registry()
    with connected(device) as client:
        messages = []
        client.on_message_received = messages.append
        for number in range(20):
            manager.send_c2d_message(device.device, str(number))
        wait("20 messages", lambda: len(messages) == 20)
        equal([message.data.decode() for message in messages], [str(number) for number in range(20)])


@case
def a_message_for_an_unknown_device_is_refused():
    refused(Exception, registry().send_c2d_message, unique(), "hello")


main()
