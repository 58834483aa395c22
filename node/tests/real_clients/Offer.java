// Asks each route as Java's own HTTP client does, which offers to go on in HTTP/2 with every request.
//
// java Offer.java ORIGIN

import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;

class Offer {
    public static void main(String[] arguments) throws Exception {
        var origin = arguments[0];
        var discover = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"rpc.discover\"}";
        ask(HttpRequest.newBuilder(URI.create(origin + "/")).GET(), "p2panda node");
        ask(HttpRequest.newBuilder(URI.create(origin + "/")).POST(BodyPublishers.ofString(discover)), "openrpc");
        ask(HttpRequest.newBuilder(URI.create(origin + "/graphql")).GET(), "<html");
        ask(
            HttpRequest.newBuilder(URI.create(origin + "/graphql"))
                .header("Content-Type", "application/json")
                .POST(BodyPublishers.ofString("{\"query\":\"{ __typename }\"}")),
            "\"Query\"");
        ask(HttpRequest.newBuilder(URI.create(origin + "/healthz")).GET(), "ok");
    }

    static void ask(HttpRequest.Builder request, String expected) throws Exception {
        var built = request.version(HttpClient.Version.HTTP_2).build();
        // A client of its own: it would offer nothing on a connection it knows.
        var response = HttpClient.newHttpClient().send(built, BodyHandlers.ofString());
        if (response.statusCode() != 200 || !response.body().contains(expected)) {
            System.err.println(built + ": " + response + "\n" + response.body());
            System.exit(1);
        }
    }
}
