package holdfast.e2e;

import java.io.File;
import java.net.URI;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Clock;
import java.time.Instant;
import java.util.List;
import java.util.Random;
import java.util.UUID;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.locks.Lock;
import java.util.function.LongSupplier;

/** Uses everything that a pure module must not, for {@link PureModulesTest}; never run. */
abstract class ImpureFixture {

  /** Seen in a descriptor only. */
  FileChannel channel;

  /** Seen as the element of an array only. */
  Object locks = new Lock[1];

  /** Seen in a method handle only. */
  LongSupplier nanos = System::nanoTime;

  abstract void take(ThreadLocal<String> local);

  List<Object> use() {
    return List.of(
        new File("x"),
        URI.create("x:y"),
        Path.of("x"),
        Thread.currentThread(),
        System.currentTimeMillis(),
        Clock.systemUTC(),
        Instant.now(),
        new Random(1),
        new SecureRandom(),
        ThreadLocalRandom.current(),
        Math.random(),
        UUID.randomUUID());
  }
}
