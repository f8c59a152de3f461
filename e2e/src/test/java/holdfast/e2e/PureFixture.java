package holdfast.e2e;

import java.io.Serializable;
import java.util.function.IntUnaryOperator;

/** Pure code with a record's methods, an enum switch, string joins and lambdas; never run. */
record PureFixture(String name, Colour colour) implements Serializable {

  enum Colour {
    RED,
    GREEN
  }

  IntUnaryOperator scale(int factor) {
    return switch (colour) {
      case RED -> x -> x * factor;
      case GREEN -> (IntUnaryOperator & Serializable) x -> x + factor;
    };
  }

  String describe() {
    return "name " + name + ", colour " + colour;
  }
}
