package holdfast.e2e;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * The pure modules have no I/O, threads, clocks or randomness: the simulator can replay a seed only
 * if nothing but a machine's inputs decides what it does.
 */
class PureModulesTest {

  @ParameterizedTest
  @ValueSource(strings = {"capsule", "sync", "sim"})
  void hasNoEffects(String module) throws IOException {
    Path classes = projectRoot().resolve(module).resolve("target/classes");
    assertThat(classes).as("compiled classes of the module %s", module).isDirectory();

    List<String> impurities = new ArrayList<>();
    int scanned = 0;
    try (Stream<Path> files = Files.walk(classes)) {
      for (Path file : files.filter(f -> f.toString().endsWith(".class")).sorted().toList()) {
        impurities.addAll(Purity.check(Files.readAllBytes(file)));
        scanned++;
      }
    }

    assertThat(scanned).as("classes found in %s", classes).isPositive();
    assertThat(impurities)
        .withFailMessage(() ->
            "The module %s must be pure. Take time, randomness and I/O as inputs instead of:%n  %s"
                .formatted(module, String.join("\n  ", impurities)))
        .isEmpty();
  }

  @Test
  void everyKindOfImpurityIsReported() throws IOException {
    assertThat(Purity.check(classFile(ImpureFixture.class)))
        .extracting(line -> line.substring(line.indexOf(" uses ") + " uses ".length()))
        .contains(
            "java.io.File",
            "java.lang.Math.random",
            "java.lang.System.currentTimeMillis",
            "java.lang.System.nanoTime",
            "java.lang.Thread",
            "java.lang.ThreadLocal",
            "java.net.URI",
            "java.nio.channels.FileChannel",
            "java.nio.file.Path",
            "java.security.SecureRandom",
            "java.time.Clock",
            "java.time.Instant.now",
            "java.util.Random",
            "java.util.UUID.randomUUID",
            "java.util.concurrent.ThreadLocalRandom",
            "java.util.concurrent.locks.Lock");
  }

  @Test
  void whatJavacAddsToPureCodeIsNotReported() throws IOException {
    assertThat(Purity.check(classFile(PureFixture.class))).isEmpty();
    assertThat(Purity.check(classFile(PureFixture.Colour.class))).isEmpty();
  }

  private static byte[] classFile(Class<?> type) throws IOException {
    try (var in = type.getResourceAsStream("/" + type.getName().replace('.', '/') + ".class")) {
      return in.readAllBytes();
    }
  }

  static Path projectRoot() {
    Path directory = Path.of("").toAbsolutePath();
    while (!Files.exists(directory.resolve("mvnw"))) {
      directory = directory.getParent();
      assertThat(directory).as("the directory with mvnw in it, above the test's").isNotNull();
    }
    return directory;
  }
}
