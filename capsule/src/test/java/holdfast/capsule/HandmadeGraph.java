package holdfast.capsule;

import holdfast.testkit.Gen;
import java.util.Arrays;

/** For tests: a record graph to which they add records one by one. */
abstract class HandmadeGraph {
  final Fixture fixture = new Fixture(2);
  final Gen gen = new Gen(4);
  final RecordGraph graph = new RecordGraph(new InMemoryOrderedMap(), 4);

  RecordHeader made(int writer, RecordHeader... pointers) {
    return fixture.header(gen, writer, Arrays.stream(pointers).map(RecordHeader::name).toList());
  }

  long add(RecordHeader header) {
    return graph.insert(header, graph.arrivalsOf(header.pointers()));
  }
}
