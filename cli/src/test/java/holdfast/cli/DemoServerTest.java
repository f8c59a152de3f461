package holdfast.cli;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class DemoServerTest {
  @Test
  void whatAServerSaidLastIsNoPartOfAStackTrace() {
    assertThat(
            DemoServer.lastWords(
                "starting\njava.io.IOException: no room\n\tat A.b(A.java:1)\n\t... 18 more\n\n"))
        .isEqualTo("java.io.IOException: no room");
    assertThat(DemoServer.lastWords("holdfast: the disk is full"))
        .isEqualTo("holdfast: the disk is full");
    assertThat(DemoServer.lastWords("\n")).isEqualTo("it says nothing");
  }
}
